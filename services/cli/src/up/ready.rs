//! Waiting for services to be ready, by watching their gRPC health.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Between two attempts to reach a service that listens but does not answer.
const RETRY: Duration = Duration::from_millis(100);

/// Resolves when every service has said that it is ready.
pub(super) async fn all(addresses: impl IntoIterator<Item = SocketAddr>) {
    futures::future::join_all(addresses.into_iter().map(one)).await;
}

async fn one(address: SocketAddr) {
    while !matches!(watch(address).await, Ok(true)) {
        tokio::time::sleep(RETRY).await;
    }
}

/// Follows the health of the whole process until it serves; false when the service ends the stream first.
async fn watch(address: SocketAddr) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let channel = Endpoint::from_shared(format!("http://{}", reachable(address)))?.connect().await?;
    let request = HealthCheckRequest { service: String::new() };
    let mut states = HealthClient::new(channel).watch(request).await?.into_inner();
    while let Some(state) = states.message().await? {
        if state.status() == ServingStatus::Serving {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A gateway that listens on every address is reached on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
