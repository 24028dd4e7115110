//! How a service ends: in order, bounded, and at once when told twice.

mod support;

use std::time::Duration;

use gifthorse_service::configuration::DrainConfiguration;
use gifthorse_service::shutdown::{Reason, Signal};
use gifthorse_service::{OnError, ServiceConfiguration, Shutdown, Tasks};
use support::{Running, call, configuration, stream, within};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

fn with_drain(change: impl FnOnce(&mut DrainConfiguration)) -> ServiceConfiguration {
    let mut configuration = configuration();
    change(&mut configuration.drain);
    configuration
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_a_new_connection_refused() {
    let running = Running::start(&configuration()).await;
    let client = Tasks::new(Shutdown::new());
    let held = client.start("held", call(running.connect().await, "Hold", "patience"));
    running.one_arrived().await;

    running.shutdown.signal(Signal::Terminate);
    running.refuses_connections().await;
    assert!(!held.is_finished());

    running.echo.release.add_permits(1);
    assert_eq!(within(held).await.unwrap().unwrap(), "patience");
    let ended = running.ended().await;
    assert_eq!(ended.reason, Reason::Signal(Signal::Terminate));
    assert_eq!((ended.cut, ended.aborted.len(), ended.forced), (0, 0, None));
    assert_eq!(ended.exit_code(), 0);
}

#[tokio::test]
async fn what_hangs_is_cut_when_the_grace_is_over() {
    let running = Running::start(&with_drain(|drain| drain.grace = Duration::from_millis(50))).await;
    let client = Tasks::new(Shutdown::new());
    let held = client.start("held", call(running.connect().await, "Hold", "never"));
    running.one_arrived().await;
    // A connection that never says a word, not even the preface of HTTP/2.
    let mut silent = TcpStream::connect(running.addresses.grpc).await.unwrap();

    running.shutdown.request(Reason::Requested);
    assert!(within(held).await.unwrap().is_err());
    // The server has said its settings; what counts is that the connection ends, in order or not.
    let _ = within(silent.read_to_end(&mut Vec::new())).await;
    let ended = running.ended().await;
    assert!((1..=2).contains(&ended.cut), "{ended:?}");
    assert_eq!(ended.exit_code(), 0);
}

#[tokio::test]
async fn long_streams_are_told_to_end() {
    let running = Running::start(&configuration()).await;
    let mut echo = stream(running.connect().await, "first").await.unwrap();
    assert_eq!(within(echo.message()).await.unwrap().as_deref(), Some("first"));
    let mut health = HealthClient::new(running.connect().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(within(watch.message()).await.unwrap().unwrap().status, 1);

    running.shutdown.request(Reason::Requested);
    assert_eq!(within(echo.message()).await.unwrap(), None);
    // The watcher may see NOT_SERVING before the end, but the end it sees.
    within(async { while let Ok(Some(_)) = watch.message().await {} }).await;
    assert_eq!(running.ended().await.cut, 0);
}

#[tokio::test]
async fn the_second_signal_ends_at_once() {
    let running = Running::start(&configuration()).await;
    let client = Tasks::new(Shutdown::new());
    let _held = client.start("held", call(running.connect().await, "Hold", "never"));
    running.one_arrived().await;

    running.shutdown.signal(Signal::Terminate);
    running.refuses_connections().await;
    running.shutdown.signal(Signal::Terminate);
    let ended = running.ended().await;
    assert_eq!(ended.forced, Some(Signal::Terminate));
    assert_eq!(ended.exit_code(), 143);
}

#[tokio::test]
async fn during_the_notice_requests_are_served_but_readiness_is_gone() {
    let running = Running::start(&with_drain(|drain| drain.notice = support::PATIENCE * 10)).await;
    let channel = running.connect().await;
    let mut health = HealthClient::new(channel.clone());
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(within(watch.message()).await.unwrap().unwrap().status, 1);

    running.shutdown.signal(Signal::Interrupt);
    assert_eq!(within(watch.message()).await.unwrap().unwrap().status, 2, "NOT_SERVING");
    let (head, body) = running.admin("/ready").await;
    assert!(head.starts_with("HTTP/1.1 503") && body.contains("draining"), "{head} {body}");
    assert!(running.admin("/live").await.0.starts_with("HTTP/1.1 200"));
    assert_eq!(call(channel, "Say", "still here").await.unwrap(), "still here");
    assert_eq!(call(running.connect().await, "Say", "new").await.unwrap(), "new");

    running.shutdown.signal(Signal::Interrupt);
    assert_eq!(running.ended().await.exit_code(), 130);
}

#[tokio::test]
async fn a_needed_task_that_fails_stops_the_service() {
    let running = Running::start(&configuration()).await;
    running.tasks.spawn("queue", OnError::Shutdown, |_| async { Err("the disk is gone") });
    let ended = running.ended().await;
    assert_eq!(ended.reason, Reason::TaskFailed { task: "queue" });
    assert_eq!(ended.exit_code(), 1);
}

#[tokio::test]
async fn a_task_that_ignores_the_end_is_aborted() {
    let running = Running::start(&with_drain(|drain| drain.tasks = Duration::from_millis(20))).await;
    drop(running.tasks.start("deaf", std::future::pending::<()>()));
    running.shutdown.request(Reason::Requested);
    assert_eq!(running.ended().await.aborted, ["deaf"]);
}

#[tokio::test]
async fn a_request_after_its_deadline_is_given_up() {
    let running = Running::start(&configuration()).await;
    let channel = running.connect().await;
    let mut request = Request::new("late".to_owned());
    request.set_timeout(Duration::from_millis(30));
    let status = within(support::send(channel, "Hold", request)).await.unwrap_err();
    assert!(matches!(status.code(), tonic::Code::Cancelled | tonic::Code::DeadlineExceeded), "{status:?}");
    running.shutdown.request(Reason::Requested);
    assert_eq!(running.ended().await.cut, 0);
}
