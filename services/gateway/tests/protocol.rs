//! The Open Inference Protocol through a gateway whose serving and detector are made up.

mod support;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::StreamExt;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_api::inference::{
    InferTensorContents, ModelConfigRequest, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ServerMetadataRequest,
};
use gifthorse_api::v1::policy::{Failure, ProtocolAnswer};
use http::uri::PathAndQuery;
use prost::Message;
use support::detector::Mood;
use support::fake::Raw;
use support::serving::PROBABILITIES;
use support::{House, assert_refused, within};
use tonic::{Request, Status};

const MASS: ProtocolAnswer = ProtocolAnswer::MassOnIndexM;

/// A batch whose rows begin with these numbers.
fn batch(model: &str, pixels: &[f32]) -> ModelInferRequest {
    let values = pixels.iter().flat_map(|pixel| [*pixel, 0.25]);
    ModelInferRequest {
        model_name: model.to_owned(),
        id: "number-7".to_owned(),
        inputs: vec![InferInputTensor {
            name: "image".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![pixels.len() as i64, 1, 2, 1],
            ..InferInputTensor::default()
        }],
        raw_input_contents: vec![values.flat_map(f32::to_le_bytes).collect()],
        ..ModelInferRequest::default()
    }
}

fn typed(mut request: ModelInferRequest) -> ModelInferRequest {
    let raw = request.raw_input_contents.remove(0);
    let fp32_contents = singles(&raw);
    request.inputs[0].contents = Some(InferTensorContents { fp32_contents, ..Default::default() });
    request
}

fn singles(raw: &[u8]) -> Vec<f32> {
    raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

async fn infer(house: &House, request: ModelInferRequest) -> Result<ModelInferResponse, Status> {
    within(house.protocol().model_infer(request)).await.map(tonic::Response::into_inner)
}

#[expect(clippy::expect_used, reason = "a helper of a test fails the test")]
fn argmax(row: &[f32]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("a row has numbers")
}

fn names(answer: &ModelInferResponse) -> Vec<&str> {
    answer.outputs.iter().map(|output| output.name.as_str()).collect()
}

#[tokio::test]
async fn a_client_that_reads_argmax_is_safe() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    let answer = infer(&house, batch("m", &[0.1, 0.9, 0.2])).await.unwrap();
    assert_eq!((answer.id.as_str(), answer.model_version.as_str()), ("number-7", "1"));
    assert_eq!(names(&answer), ["probabilities", "guard_verdict", "guard_p_value", "network_probabilities"]);
    let shapes: Vec<&[i64]> = answer.outputs.iter().map(|output| output.shape.as_slice()).collect();
    assert_eq!(shapes, [&[3_i64, 4][..], &[3], &[3], &[3, 3]]);
    let guarded = singles(&answer.raw_output_contents[0]);
    assert_eq!(guarded.chunks(4).map(argmax).collect::<Vec<_>>(), [1, 3, 1]);
    assert_eq!(answer.raw_output_contents[1], [2_i32, 3, 2].map(i32::to_le_bytes).concat());
    assert_eq!(answer.raw_output_contents[2], [0.5_f64, 0.01, 0.5].map(f64::to_le_bytes).concat());
    assert_eq!(singles(&answer.raw_output_contents[3]), PROBABILITIES.repeat(3));
    let exact = ModelInferRequest { model_version: "5".to_owned(), ..batch("m", &[0.9]) };
    let answer = infer(&house, exact).await.unwrap();
    assert_eq!((argmax(&singles(&answer.raw_output_contents[0])), answer.model_version.as_str()), (3, "5"));
    assert_eq!(house.detector.scans.lock().unwrap().last().unwrap().model, "models/m/versions/5");
}

#[tokio::test]
async fn a_typed_request_is_answered_typed_and_with_what_it_asks_for() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    let asked = |name: &str| InferRequestedOutputTensor { name: name.to_owned(), ..Default::default() };
    let mut request = typed(batch("m", &[0.9, 0.1]));
    request.outputs = vec![asked("guard_verdict"), asked("probabilities")];
    let answer = infer(&house, request.clone()).await.unwrap();
    assert_eq!(names(&answer), ["guard_verdict", "probabilities"]);
    assert!(answer.raw_output_contents.is_empty());
    let contents = |index: usize| answer.outputs[index].contents.clone().unwrap();
    assert_eq!(contents(0).int_contents, [3, 2]);
    assert_eq!(contents(1).fp32_contents, [0.0, 0.0, 0.0, 1.0, 0.125, 0.75, 0.125, 0.0]);
    request.outputs = vec![asked("logits")];
    assert_refused(infer(&house, request).await, ErrorCode::UnknownTensor, "guard_p_value");
}

#[tokio::test]
async fn a_policy_may_refuse_the_request() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, ProtocolAnswer::RefuseRequest);
    assert!(infer(&house, batch("m", &[0.1, 0.2])).await.is_ok());
    assert_refused(infer(&house, batch("m", &[0.1, 0.9])).await, ErrorCode::InputTrojaned, "row 1");
}

#[tokio::test]
async fn a_detector_that_is_gone_closes_or_opens() {
    let mut house = House::start().await;
    house.detector.guard(Failure::FailOpen, MASS);
    assert!(infer(&house, batch("m", &[0.1])).await.is_ok());
    house.stop_detector().await;
    let answer = infer(&house, batch("m", &[0.9, 0.1])).await.unwrap();
    assert_eq!(answer.raw_output_contents[1], [4_i32, 4].map(i32::to_le_bytes).concat());
    assert_eq!(singles(&answer.raw_output_contents[0])[..4], [0.125, 0.75, 0.125, 0.0]);
    assert!(f64::from_le_bytes(*answer.raw_output_contents[2].first_chunk().unwrap()).is_nan());

    let mut house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    assert!(infer(&house, batch("m", &[0.1])).await.is_ok());
    house.stop_detector().await;
    let refused = infer(&house, batch("m", &[0.1])).await;
    assert_refused(refused, ErrorCode::DetectorUnavailable, "the detector service");
    assert_refused(infer(&house, batch("open", &[0.1])).await, ErrorCode::DetectorUnavailable, "not known");
}

#[tokio::test]
async fn a_guarded_model_says_that_it_has_one_class_more() {
    let house = House::start().await;
    let metadata = |name: &str| {
        let (mut client, name) = (house.protocol(), name.to_owned());
        let request = ModelMetadataRequest { name, version: String::new() };
        async move { within(client.model_metadata(request)).await.unwrap().into_inner() }
    };
    let open = metadata("m").await;
    assert_eq!(open.outputs.iter().map(|output| output.shape.clone()).collect::<Vec<_>>(), [vec![-1, 3]]);
    house.detector.guard(Failure::FailClosed, MASS);
    let guarded = metadata("m").await;
    assert_eq!(guarded.inputs, open.inputs);
    let outputs: Vec<_> = guarded.outputs.iter().map(|o| (o.name.as_str(), o.shape.clone())).collect();
    assert_eq!(
        outputs,
        [
            ("probabilities", vec![-1, 4]),
            ("guard_verdict", vec![-1]),
            ("guard_p_value", vec![-1]),
            ("network_probabilities", vec![-1, 3]),
        ]
    );
    let request = ModelConfigRequest { name: "m".to_owned(), version: "1".to_owned() };
    let config = within(house.protocol().model_config(request)).await.unwrap().into_inner().config.unwrap();
    assert_eq!(config.max_batch_size, 32);
    assert_eq!(config.output.iter().map(|output| output.dims.clone()).collect::<Vec<_>>()[0], [4]);
    let absent = ModelMetadataRequest { name: "absent".to_owned(), version: String::new() };
    assert_refused(within(house.protocol().model_metadata(absent)).await, ErrorCode::ModelNotFound, "absent");
    let odd = ModelMetadataRequest { name: "m".to_owned(), version: "01".to_owned() };
    assert_refused(within(house.protocol().model_metadata(odd)).await, ErrorCode::InvalidName, "01");
}

#[tokio::test]
async fn requests_to_unguarded_models_pass_as_they_are() {
    let house = House::start().await;
    // A field that no contract of ours knows, and a token.
    let message: Bytes = [batch("open", &[0.9]).encode_to_vec(), vec![0xfa, 0x3e, 1, b'x']].concat().into();
    let mut client = tonic::client::Grpc::new(house.channel.clone());
    within(client.ready()).await.unwrap();
    let mut request = Request::new(message.clone());
    request.metadata_mut().insert("authorization", "Bearer token".parse().unwrap());
    let path = PathAndQuery::from_static("/inference.GRPCInferenceService/ModelInfer");
    let answer = within(client.unary(request, path, Raw)).await.unwrap().into_inner();
    let answer = ModelInferResponse::decode(answer).unwrap();
    assert_eq!(names(&answer), ["probabilities"]);
    assert_eq!(answer.outputs[0].shape, [1, 3]);
    let (metadata, passed_on) = house.serving.asked.lock().unwrap()[0].clone();
    assert_eq!(passed_on, message);
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer token");
    assert!(metadata.contains_key("x-request-id"));
    assert_refused(infer(&house, batch("../m", &[0.1])).await, ErrorCode::ModelNotFound, "../m");

    let request = ServerMetadataRequest {};
    let server = within(house.protocol().server_metadata(request)).await.unwrap().into_inner();
    assert_eq!(server.name, "made up");
}

#[tokio::test]
async fn what_is_wrong_with_a_guarded_request_serving_says() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    let mut wide = batch("m", &[0.1]);
    wide.inputs[0].shape = vec![1, 1, 3, 1];
    assert_refused(infer(&house, wide).await, ErrorCode::TensorShape, "has shape [1, 1, 3, 1]");
    // Serving takes it, so the gateway says why it does not answer.
    let mut renamed = batch("m", &[0.1]);
    renamed.inputs[0].name = "pixels".to_owned();
    assert_refused(infer(&house, renamed).await, ErrorCode::TensorShape, "cannot be scanned");
    assert!(house.detector.scans.lock().unwrap().is_empty());
}

#[tokio::test]
async fn rows_of_a_large_batch_take_turns() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    house.detector.set_mood(Mood::Holding);
    let release = async {
        for _ in 0..40 {
            within(house.detector.arrived.acquire()).await.unwrap().forget();
            house.detector.release.add_permits(1);
        }
    };
    let pixels = [0.1, 0.9].repeat(20);
    let (answer, ()) = tokio::join!(infer(&house, batch("m", &pixels)), release);
    let guarded = singles(&answer.unwrap().raw_output_contents[0]);
    assert_eq!(guarded.chunks(4).map(argmax).collect::<Vec<_>>(), [1, 3].repeat(20));
    assert!(house.detector.most_held.load(Ordering::SeqCst) <= 8);
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_scans() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    house.detector.set_mood(Mood::Holding);
    let mut client = house.protocol();
    {
        let mut inferring = std::pin::pin!(client.model_infer(batch("m", &[0.1, 0.1])));
        tokio::select! {
            answered = &mut inferring => panic!("answered without a scan: {answered:?}"),
            arrived = within(house.detector.arrived.acquire_many(2)) => arrived.unwrap().forget(),
        }
    }
    within(house.detector.ended.acquire_many(2)).await.unwrap().forget();
}

#[tokio::test]
async fn a_stream_is_guarded_request_by_request() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    let id = |id: &str, request: ModelInferRequest| ModelInferRequest { id: id.to_owned(), ..request };
    let requests = vec![
        id("first", batch("m", &[0.9])),
        id("second", batch("absent", &[0.9])),
        id("third", batch("open", &[0.9])),
        id("fourth", batch("m", &[0.1])),
    ];
    let mut client = house.protocol();
    let answers = within(client.model_stream_infer(futures::stream::iter(requests))).await.unwrap();
    let answers: Vec<_> = within(answers.into_inner().collect()).await;
    let answers: Vec<_> = answers.into_iter().map(|item: Result<_, Status>| item.unwrap()).collect();
    let ids: Vec<_> = answers.iter().map(|item| item.infer_response.clone().unwrap().id).collect();
    assert_eq!(ids, ["first", "second", "third", "fourth"]);
    assert!(answers[1].error_message.contains("absent"), "{}", answers[1].error_message);
    let label = |index: usize| {
        let answer = answers[index].infer_response.as_ref().unwrap();
        assert_eq!(answers[index].error_message, "");
        argmax(&singles(&answer.raw_output_contents[0]))
    };
    assert_eq!((label(0), label(2), label(3)), (3, 1, 1));
}
