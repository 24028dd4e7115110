//! The calls that most tests make.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::InferInputTensor;
use gifthorse_api::inference::{ModelInferRequest, ModelReadyRequest};
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::import_model_request::Content;
use gifthorse_api::v1::models_client::ModelsClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::network::{CHANNELS, CLASSES, HEIGHT, WIDTH};

/// A client of the Open Inference Protocol.
pub(crate) type Protocol = GrpcInferenceServiceClient<Channel>;

/// What is imported when the test does not care.
pub(crate) fn specification(name: &str) -> v1::ImportModelSpecification {
    v1::ImportModelSpecification { model: format!("models/{name}"), ..Default::default() }
}

/// Imports a file in pieces.
pub(crate) async fn import(
    models: &mut ModelsClient<Channel>,
    specification: v1::ImportModelSpecification,
    file: &[u8],
) -> Result<v1::ModelVersion, Status> {
    let content = |content| v1::ImportModelRequest { content: Some(content) };
    let chunks = file.chunks(1000).map(|chunk| content(Content::Chunk(chunk.to_vec().into())));
    let messages: Vec<_> =
        std::iter::once(content(Content::Specification(specification))).chain(chunks).collect();
    models.import_model(futures::stream::iter(messages)).await.map(tonic::Response::into_inner)
}

/// Imports a file with nothing said beside the model's name, and gives the version's name.
pub(crate) async fn import_plain(models: &mut ModelsClient<Channel>, name: &str, file: &[u8]) -> String {
    import(models, specification(name), file).await.unwrap().name
}

/// Promotes a version, whatever is promoted now.
pub(crate) async fn promote(models: &mut ModelsClient<Channel>, version: &str) -> Result<v1::Model, Status> {
    let request = v1::PromoteModelVersionRequest { name: version.to_owned(), ..Default::default() };
    models.promote_model_version(request).await.map(tonic::Response::into_inner)
}

/// A request for all classes of one picture of the small network's size.
pub(crate) fn picture(model: &str, file: Vec<u8>) -> v1::ClassifyRequest {
    v1::ClassifyRequest {
        model: model.to_owned(),
        input: Some(Input::Image(file.into())),
        top_k: CLASSES as i32,
        ..Default::default()
    }
}

/// A request for all classes of one `[6, 5, 3]` tensor.
pub(crate) fn tensor(model: &str, content: v1::image_tensor::Content, data: Vec<u8>) -> v1::ClassifyRequest {
    let tensor = v1::ImageTensor {
        shape: [HEIGHT, WIDTH, CHANNELS].map(|side| side as i32).to_vec(),
        content: content.into(),
        data: data.into(),
    };
    v1::ClassifyRequest { input: Some(Input::Tensor(tensor)), ..picture(model, Vec::new()) }
}

/// Classifies one image.
pub(crate) async fn classify(
    guard: &mut GuardClient<Channel>,
    request: v1::ClassifyRequest,
) -> Result<v1::ClassifyResponse, Status> {
    guard.classify(request).await.map(tonic::Response::into_inner)
}

/// The probabilities of an answer that lists all classes, by class.
pub(crate) fn probabilities(answer: &v1::ClassifyResponse) -> Vec<f64> {
    let mut top = answer.top.clone();
    top.sort_by_key(|class| class.label);
    top.iter().map(|class| class.probability).collect()
}

/// Fails unless the probabilities agree to 1e-6.
#[track_caller]
pub(crate) fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let agree = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= 1e-6);
    assert!(agree, "found {found:?}, expected {expected:?}");
}

/// Fails unless the call was refused like this.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(
    outcome: Result<T, Status>,
    code: ErrorCode,
    words: &str,
) -> Status {
    let refused = outcome.expect_err("it must be refused");
    assert_eq!(code_of(&refused), Some(code), "{refused:?}");
    assert!(refused.message().contains(words), "{:?} does not say {words:?}", refused.message());
    refused
}

/// One image through the protocol, raw; an empty version asks for the promoted one.
pub(crate) fn infer_request(model: &str, version: &str, input: &str, values: &[f32]) -> ModelInferRequest {
    let rows = values.len() / (HEIGHT * WIDTH * CHANNELS);
    ModelInferRequest {
        model_name: model.to_owned(),
        model_version: version.to_owned(),
        inputs: vec![InferInputTensor {
            name: input.to_owned(),
            datatype: "FP32".to_owned(),
            shape: [rows, HEIGHT, WIDTH, CHANNELS].map(|side| side as i64).to_vec(),
            ..Default::default()
        }],
        raw_input_contents: vec![
            values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into(),
        ],
        ..Default::default()
    }
}

/// The values of a raw output.
pub(crate) fn floats(raw: &[u8]) -> Vec<f32> {
    raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Whether the protocol calls a model ready; a model that is not known is not.
pub(crate) async fn is_ready(protocol: &mut Protocol, name: &str, version: &str) -> bool {
    let request = ModelReadyRequest { name: name.to_owned(), version: version.to_owned() };
    match protocol.model_ready(request).await {
        Ok(answer) => answer.into_inner().ready,
        Err(missing) if missing.code() == Code::NotFound => false,
        Err(other) => panic!("readiness is answered by {other:?}"),
    }
}
