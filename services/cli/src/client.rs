//! The connection to the gateway.

use std::error::Error;
use std::time::Duration;

use gifthorse_api::status::code_of;
use gifthorse_api::v1::datasets_client::DatasetsClient;
use gifthorse_api::v1::detection_client::DetectionClient;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::policies_client::PoliciesClient;
use gifthorse_api::v1::pruning_jobs_client::PruningJobsClient;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::address::GatewayAddress;
use crate::error::{CommandError, root_cause};

/// How long the gateway may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A quiet connection is pinged this often, so that a gateway that vanished is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The largest reply taken: a page of versions carries all their layers, an evaluation every score.
const LARGEST_REPLY: usize = 64 << 20;

/// A gateway that accepted a connection.
#[derive(Debug, Clone)]
pub struct Gateway {
    address: GatewayAddress,
    channel: Channel,
}

impl Gateway {
    /// Connects, waiting at most ten seconds.
    pub async fn connect(address: &GatewayAddress) -> Result<Self, CommandError> {
        let unreachable = |error: tonic::transport::Error| CommandError::Unreachable {
            gateway: address.clone(),
            reason: root_cause(&error),
        };
        let endpoint = Endpoint::from_shared(address.url())
            .map_err(unreachable)?
            .connect_timeout(CONNECT_LIMIT)
            .http2_keep_alive_interval(KEEPALIVE);
        let channel = endpoint.connect().await.map_err(unreachable)?;
        Ok(Self { address: address.clone(), channel })
    }

    /// The client of the front door.
    pub fn guard(&self) -> GuardClient<Channel> {
        GuardClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// The client of the model repository.
    pub fn models(&self) -> ModelsClient<Channel> {
        ModelsClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// The client of the stored data sets.
    pub fn datasets(&self) -> DatasetsClient<Channel> {
        DatasetsClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// The client of calibration, scanning and evaluation.
    pub fn detection(&self) -> DetectionClient<Channel> {
        DetectionClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// The client of the policies.
    pub fn policies(&self) -> PoliciesClient<Channel> {
        PoliciesClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// The client of the pruning jobs.
    pub fn pruning_jobs(&self) -> PruningJobsClient<Channel> {
        PruningJobsClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_REPLY)
    }

    /// What a failed call means: the service's answer, or a connection that broke.
    pub fn refused(&self, status: Status) -> CommandError {
        let broken = if code_of(&status).is_none() { status.source().map(root_cause) } else { None };
        match broken {
            Some(reason) => CommandError::Unreachable { gateway: self.address.clone(), reason },
            None => CommandError::Refused { status: Box::new(status) },
        }
    }
}
