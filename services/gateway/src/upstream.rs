//! Whether the gateway can do its main job: it is ready while serving is.

use std::convert::Infallible;
use std::time::Duration;

use gifthorse_service::Latch;
use gifthorse_service::client::Peer;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How soon a lost connection is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Keeps the latch in step with the health of serving until the service stops.
pub(crate) async fn watch(serving: Peer, ready: Latch, stop: CancellationToken) -> Result<(), Infallible> {
    let watching = async {
        loop {
            let reason = match follow(&serving, &ready).await {
                Ok(()) => "serving ended the watch of its health".to_owned(),
                Err(failed) => serving.explain(failed).message().to_owned(),
            };
            ready.clear(reason);
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = stop.cancelled() => {}
    }
    Ok(())
}

async fn follow(serving: &Peer, ready: &Latch) -> Result<(), Status> {
    let request = HealthCheckRequest { service: String::new() };
    let mut states = HealthClient::new(serving.channel()).watch(request).await?.into_inner();
    while let Some(state) = states.message().await? {
        match state.status() {
            ServingStatus::Serving => ready.set(),
            other => ready.clear(format!("serving says {}", other.as_str_name())),
        }
    }
    Ok(())
}
