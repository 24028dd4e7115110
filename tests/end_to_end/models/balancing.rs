//! Replicas that come, go and die under a gateway that goes on asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_tests::house::{House, connect, wait_until_serving};
use gifthorse_tests::program::Program;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::admin::page;
use crate::support::calls::{classify, import_plain, picture};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png};
use crate::support::replicas;

/// Within this time replicas get their share, and lose it: docs/kubernetes.md.
const SOON: Duration = Duration::from_secs(10);
/// How long a replica says that it is going before it goes.
const NOTICE: (&str, &str) = ("service.drain.notice", "1s");

/// How many requests for answers a serving program has begun.
fn asked(program: &Program) -> f64 {
    let (_, body) = page(program.admin, "/metrics");
    let lines = body
        .lines()
        .filter(|line| line.starts_with("gifthorse_rpc_started_total") && line.contains("ModelInfer\""));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

async fn asked_more(program: &Program) {
    let (before, started) = (asked(program), Instant::now());
    while asked(program) < before + 3.0 {
        assert!(started.elapsed() < SOON, "it gets no share: {}", program.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Callers that ask without a pause, and what became of it.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: tokio::task::JoinSet<Vec<tonic::Status>>,
}

impl Load {
    fn begin(channel: &Channel, version: &str) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (stop, answered, version) = (Arc::clone(&stop), Arc::clone(&answered), version.to_owned());
            let mut guard = GuardClient::new(channel.clone());
            callers.spawn(async move {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match classify(&mut guard, picture(&version, png(&levels(1)))).await {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(status) => failed.push(status),
                    }
                }
                failed
            });
        }
        Self { stop, answered, callers }
    }

    async fn end(self) -> Vec<tonic::Status> {
        self.stop.store(true, Ordering::Relaxed);
        let failed: Vec<_> = self.callers.join_all().await.into_iter().flatten().collect();
        assert!(self.answered.load(Ordering::Relaxed) > 20, "there was a load: {failed:?}");
        failed
    }
}

async fn house_with_two() -> (House, Program, Program, String) {
    let house = House::start_with(&[("serving", NOTICE.0, NOTICE.1)]).await;
    let other = replicas::serving(&house, &[NOTICE]).await;
    let gateway = replicas::gateway(&house, &[&house.serving, &other]).await;
    let version =
        import_plain(&mut house.models().await, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    (house, other, gateway, version)
}

#[tokio::test]
async fn replicas_are_replaced_one_by_one_without_a_failed_request() {
    let (house, mut other, gateway, version) = house_with_two().await;
    let load = Load::begin(&connect(&gateway).await, &version);
    for _ in 0..2 {
        asked_more(&other).await;
        other.signal("TERM");
        assert!(other.wait().success());
        asked_more(&house.serving).await;
        let address = other.grpc.to_string();
        other = replicas::serving_at(&house, &address, &[NOTICE]).await;
    }
    // It is back, and gets its share.
    asked_more(&other).await;
    let failed = load.end().await;
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn a_replica_that_is_killed_costs_no_more_than_what_it_was_doing() {
    let (house, mut other, gateway, version) = house_with_two().await;
    let load = Load::begin(&connect(&gateway).await, &version);
    asked_more(&other).await;
    other.signal("KILL");
    other.wait();
    asked_more(&house.serving).await;
    let failed = load.end().await;
    assert!(failed.iter().all(|status| status.code() == Code::Unavailable), "{failed:?}");
    assert!(failed.len() <= 8, "two of each caller's requests at most: {}", failed.len());

    // From then on nobody asks the dead one.
    let mut guard = GuardClient::new(connect(&gateway).await);
    for _ in 0..20 {
        classify(&mut guard, picture(&version, png(&levels(1)))).await.unwrap();
    }
    let address = other.grpc.to_string();
    let other = replicas::serving_at(&house, &address, &[NOTICE]).await;
    wait_until_serving(&other).await;
    let load = Load::begin(&connect(&gateway).await, &version);
    asked_more(&other).await;
    assert!(load.end().await.is_empty());
}
