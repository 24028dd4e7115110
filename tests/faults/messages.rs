//! Messages that are too large, announced or really sent.

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::ModelInferRequest;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_tests::house::connect;
use gifthorse_tests::program::Program;
use tonic::body::Body;
use tonic::{Response, Status};
use tower::ServiceExt as _;

use crate::patience::soon;
use crate::refusal::assert_refused;
use crate::vigil::{SOUND, Vigil, classify};

/// What a service may take more while it refuses, in bytes: windows, buffers, thread stacks.
const SLACK: u64 = 48 << 20;

/// Not compressed, 2^30 bytes long, and nothing more: all below 128, so that it is also a text.
const ONE_GIGABYTE: &str = "\0\x40\0\0\0";

const RPCS: [&str; 4] = [
    "gifthorse.v1.Guard/Classify",
    "gifthorse.v1.Guard/ClassifyStream",
    "gifthorse.v1.Models/ImportModel",
    "inference.GRPCInferenceService/ModelInfer",
];

/// Sends a frame header that announces a gigabyte.
async fn announce(program: &Program, rpc: &str) -> Result<Response<()>, Status> {
    let request = http::Request::post(format!("http://{}/{rpc}", program.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(ONE_GIGABYTE.to_owned()))
        .unwrap();
    let answer = connect(program).await.oneshot(request).await.expect("the connection holds");
    let (head, mut body) = answer.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return Err(status);
    }
    while let Some(frame) =
        std::future::poll_fn(|context| http_body::Body::poll_frame(std::pin::Pin::new(&mut body), context))
            .await
    {
        let frame = frame.expect("the answer is whole");
        if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
            return Err(status);
        }
    }
    Ok(Response::new(()))
}

#[tokio::test]
async fn a_gigabyte_is_refused_when_it_is_announced() {
    let mut vigil = Vigil::start().await;
    let before = (vigil.house.gateway.peak_memory_bytes(), vigil.house.serving.peak_memory_bytes());
    for rpc in RPCS {
        let answer = soon(rpc, announce(&vigil.house.gateway, rpc)).await;
        assert_refused(rpc, answer, ErrorCode::TooLarge, "1073741824");
    }
    let answer = soon("serving", announce(&vigil.house.serving, RPCS[3])).await;
    assert_refused("serving", answer, ErrorCode::TooLarge, "1073741824");
    assert!(vigil.house.gateway.peak_memory_bytes() < before.0 + SLACK);
    assert!(vigil.house.serving.peak_memory_bytes() < before.1 + SLACK);
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn what_is_really_sent_beyond_the_limit_takes_no_memory() {
    let mut vigil = Vigil::start().await;
    let before = (vigil.house.gateway.peak_memory_bytes(), vigil.house.serving.peak_memory_bytes());
    // The default limit is 64 MiB.
    let content = Bytes::from(vec![0; 70 << 20]);
    let answer = soon("a large picture", classify(&vigil.gateway, Input::Image(content.clone()))).await;
    assert_refused("a large picture", answer, ErrorCode::TooLarge, "message");

    let request = v1::ClassifyRequest { input: Some(Input::Image(content.clone())), ..Default::default() };
    let item = v1::ClassifyStreamRequest { id: "1".to_owned(), request: Some(request) };
    let mut guard = GuardClient::new(vigil.gateway.clone()).max_encoding_message_size(usize::MAX);
    let streamed = async {
        let mut answers = guard.classify_stream(futures::stream::iter([item])).await?.into_inner();
        answers.message().await.map(Response::new)
    };
    assert_refused("a large item", soon("a large item", streamed).await, ErrorCode::TooLarge, "message");

    let mut inference =
        GrpcInferenceServiceClient::new(vigil.gateway.clone()).max_encoding_message_size(usize::MAX);
    let request = ModelInferRequest {
        model_name: SOUND.to_owned(),
        raw_input_contents: vec![content],
        ..ModelInferRequest::default()
    };
    let answer = soon("a large tensor", inference.model_infer(request)).await;
    assert_refused("a large tensor", answer, ErrorCode::TooLarge, "message");

    let after = (vigil.house.gateway.peak_memory_bytes(), vigil.house.serving.peak_memory_bytes());
    assert!(after.0 < before.0 + SLACK, "the gateway grew from {} to {}", before.0, after.0);
    assert!(after.1 < before.1 + SLACK, "serving grew from {} to {}", before.1, after.1);
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn names_as_long_as_a_message_are_shortened() {
    let mut vigil = Vigil::start().await;
    let model = format!("models/{}", "x".repeat(8 << 20));
    let request = v1::ClassifyRequest { model, ..Default::default() };
    let answer = GuardClient::new(vigil.gateway.clone()).classify(request).await;
    assert_refused("a long name", answer, ErrorCode::InvalidName, "xxx");
    let request = ModelInferRequest { model_name: "x".repeat(8 << 20), ..ModelInferRequest::default() };
    let answer = GrpcInferenceServiceClient::new(vigil.gateway.clone()).model_infer(request).await;
    assert_refused("a long name", answer, ErrorCode::ModelNotFound, "xxx");
    vigil.assert_unharmed().await;
}
