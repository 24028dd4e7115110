//! What every service tells of itself: health, reflection, and what is not built.

use std::collections::BTreeSet;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::contract::rpc_names;
use gifthorse_tests::house::{House, connect};
use gifthorse_tests::program::Program;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::calls::assert_refused;

/// The rpc services of each program.
fn offered(house: &House) -> [(&Program, &'static [&'static str]); 4] {
    [
        (&house.serving, &["gifthorse.v1.Models", "inference.GRPCInferenceService"]),
        (
            &house.detector,
            &[
                "gifthorse.v1.Alarms",
                "gifthorse.v1.Datasets",
                "gifthorse.v1.Detection",
                "gifthorse.v1.Policies",
            ],
        ),
        (&house.trainer, &["gifthorse.v1.PruningJobs", "gifthorse.v1.Worker"]),
        (
            &house.gateway,
            &[
                "gifthorse.v1.Alarms",
                "gifthorse.v1.Datasets",
                "gifthorse.v1.Detection",
                "gifthorse.v1.Guard",
                "gifthorse.v1.Models",
                "gifthorse.v1.Policies",
                "gifthorse.v1.PruningJobs",
                "inference.GRPCInferenceService",
            ],
        ),
    ]
}

#[tokio::test]
async fn health_is_told_for_every_service() {
    let house = House::start().await;
    for (program, services) in offered(&house) {
        let mut health = HealthClient::new(connect(program).await);
        for service in services.iter().chain(&[""]) {
            let request = HealthCheckRequest { service: (*service).to_owned() };
            let answer = health.check(request).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
        }
        let request = HealthCheckRequest { service: "gifthorse.v1.Nothing".to_owned() };
        assert_eq!(health.check(request).await.unwrap_err().code(), Code::NotFound);
    }
}

async fn reflected(program: &Program, question: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(connect(program).await);
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let answers = client.server_reflection_info(futures::stream::iter([request])).await.unwrap();
    answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap()
}

#[tokio::test]
async fn reflection_tells_what_a_program_serves() {
    let house = House::start().await;
    for (program, services) in offered(&house) {
        let MessageResponse::ListServicesResponse(listed) =
            reflected(program, MessageRequest::ListServices(String::new())).await
        else {
            panic!("services are listed")
        };
        let found: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
        let own: Vec<&str> =
            found.iter().map(String::as_str).filter(|name| !name.starts_with("grpc.")).collect();
        assert_eq!(own, services);
        assert!(found.contains("grpc.health.v1.Health"), "{found:?}");
        for service in services {
            let question = MessageRequest::FileContainingSymbol((*service).to_owned());
            let answer = reflected(program, question).await;
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{service}: {answer:?}");
        }
    }
}

/// Calls an rpc with an empty message, whatever its messages are.
async fn call(program: &Program, path: &str) -> Result<(), Status> {
    let mut client = Grpc::new(connect(program).await);
    client.ready().await.expect("the connection is ready");
    let path: PathAndQuery = path.parse().expect("a path");
    client.unary(Request::new(()), path, ProstCodec::<(), ()>::default()).await.map(drop)
}

#[tokio::test]
async fn what_is_not_built_says_so_by_name() {
    let house = House::start().await;
    let rpcs = rpc_names("gifthorse.v1.Alarms");
    assert_eq!(rpcs.len(), 5);
    for rpc in rpcs {
        let name = format!("gifthorse.v1.Alarms/{rpc}");
        let answer = call(&house.gateway, &format!("/{name}")).await;
        let refused = assert_refused(answer, ErrorCode::NotBuilt, &name);
        assert_eq!(refused.code(), Code::Unimplemented);
    }
    let name = "inference.GRPCInferenceService/TraceSetting";
    assert_refused(call(&house.gateway, &format!("/{name}")).await, ErrorCode::NotBuilt, name);
    // What is in no contract, and what is not offered to the outside, is not named.
    for path in
        ["/gifthorse.v1.Nothing/Ask", "/gifthorse.v1.Worker/AcquireLease", "/gifthorse.v1.Detection/Nothing"]
    {
        let refused = call(&house.gateway, path).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{path}");
        assert_eq!(gifthorse_api::status::code_of(&refused), None, "{path}");
    }
}
