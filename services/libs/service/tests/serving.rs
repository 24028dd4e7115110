//! What a running service offers besides its rpcs: shedding, health, metrics, reflection, request ids.

mod support;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::code_of;
use gifthorse_service::client::{ClientConfiguration, Peer};
use gifthorse_service::{Shutdown, Tasks};
use support::{Running, call, configuration, send, within};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};

#[tokio::test]
async fn one_request_too_many_is_refused_at_once() {
    let mut configuration = configuration();
    configuration.limits.concurrent_requests = 1;
    let running = Running::start(&configuration).await;
    let channel = running.connect().await;
    let client = Tasks::new(Shutdown::new());
    let held = client.start("held", call(channel.clone(), "Hold", "first"));
    running.one_arrived().await;

    let refused = call(channel.clone(), "Say", "second").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(code_of(&refused), Some(ErrorCode::Overloaded));
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    assert_eq!(health.unwrap().into_inner().status, 1, "health is never shed");

    running.echo.release.add_permits(1);
    assert_eq!(within(held).await.unwrap().unwrap(), "first");
    assert_eq!(call(channel, "Say", "third").await.unwrap(), "third", "the place came back");
}

#[tokio::test]
async fn health_follows_the_latches_and_liveness_does_not() {
    let running = Running::start(&configuration()).await;
    let models = running.readiness.latch("models");
    let mut health = HealthClient::new(running.connect().await);
    for name in ["", "test.Echo"] {
        let request = HealthCheckRequest { service: name.to_owned() };
        let mut watch = health.watch(request).await.unwrap().into_inner();
        let mut next = async || within(watch.message()).await.unwrap().unwrap().status;
        // The first message may be older than the latch.
        while next().await != 2 {}
        models.set();
        assert_eq!(next().await, 1);
        models.clear("models/lab3 is damaged");
        assert_eq!(next().await, 2);
    }
    let unknown = HealthCheckRequest { service: "test.Nothing".to_owned() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);

    let (head, body) = running.admin("/ready").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(body, "not ready\nmodels: models/lab3 is damaged\n");
    assert!(running.admin("/live").await.0.starts_with("HTTP/1.1 200"));
    models.set();
    assert!(running.admin("/ready").await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn requests_are_counted_by_rpc_and_code() {
    let running = Running::start(&configuration()).await;
    let channel = running.connect().await;
    call(channel.clone(), "Say", "one").await.unwrap();
    call(channel.clone(), "Describe", "two").await.unwrap();
    assert_eq!(call(channel.clone(), "Fail", "three").await.unwrap_err().code(), Code::Internal);
    assert_eq!(call(channel, "Nonsense", "four").await.unwrap_err().code(), Code::Unimplemented);

    let (head, body) = running.admin("/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    // Tests of one process share the recorder: counts may be higher than those of this test.
    for line in [
        r#"gifthorse_rpc_started_total{service="test.Echo",method="Describe"} "#,
        r#"gifthorse_rpc_handled_total{service="test.Echo",method="Describe",code="OK"} "#,
        r#"gifthorse_rpc_handled_total{service="test.Echo",method="Fail",code="INTERNAL"} "#,
        r#"gifthorse_rpc_handled_total{service="other",method="other",code="UNIMPLEMENTED"} "#,
        r#"gifthorse_rpc_seconds_count{service="test.Echo",method="Describe"} "#,
        r#"gifthorse_build_info{program="echo",version="1.2.3"} 1"#,
        "gifthorse_rpc_in_flight ",
        "gifthorse_connections_open ",
    ] {
        assert!(body.contains(line), "{line} is not in\n{body}");
    }
    assert!(!body.contains("Nonsense"), "labels are bounded");
}

#[tokio::test]
async fn handlers_see_the_request_id_and_the_deadline() {
    let running = Running::start(&configuration()).await;
    let channel = running.connect().await;
    let mut request = Request::new(String::new());
    request.metadata_mut().insert("x-request-id", "abc-7".parse().unwrap());
    request.set_timeout(support::PATIENCE);
    assert_eq!(send(channel.clone(), "Describe", request).await.unwrap(), "abc-7 true");

    let made = call(channel, "Describe", "").await.unwrap();
    assert!(made.ends_with(" false") && made.len() > " false".len(), "{made}");
}

#[tokio::test]
async fn reflection_lists_what_is_served() {
    let running = Running::start(&configuration()).await;
    let mut client = ServerReflectionClient::new(running.connect().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = client.server_reflection_info(futures::stream::iter([request])).await.unwrap();
    let answer = within(answers.into_inner().message()).await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(ListServiceResponse { service })) =
        answer.message_response
    else {
        panic!("not a list: {answer:?}");
    };
    let mut names: Vec<_> = service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "test.Echo",
        ]
    );
}

#[tokio::test]
async fn an_absent_service_is_named() {
    // A port that was free a moment ago, with nobody listening.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let section = ClientConfiguration { urls: vec![format!("http://{free}")], ..Default::default() };
    let peer = Peer::new("serving", &section, &Tasks::new(Shutdown::new())).unwrap();
    let status = peer.explain(call(peer.channel(), "Say", "hello").await.unwrap_err());
    assert_eq!(code_of(&status), Some(ErrorCode::ServiceUnavailable));
    assert!(
        status.message().contains("serving") && status.message().contains(&free.to_string()),
        "{status:?}"
    );

    let running = Running::start(&configuration()).await;
    let urls = vec![format!("http://{}", running.addresses.grpc)];
    let tasks = Tasks::new(Shutdown::new());
    let peer = Peer::new("echo", &ClientConfiguration { urls, ..Default::default() }, &tasks).unwrap();
    assert_eq!(call(peer.channel(), "Say", "hello").await.unwrap(), "hello");
    let own = peer.explain(call(peer.channel(), "Fail", "").await.unwrap_err());
    assert_eq!((own.code(), own.message()), (Code::Internal, "on purpose"));
}
