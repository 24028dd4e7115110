//! The trainer service: fine-pruning jobs and the workers that run them.
//!
//! In this release the contract stands and every rpc of it answers UNIMPLEMENTED, naming itself; the
//! configuration already takes the store that jobs will use.

use gifthorse_api::v1::{pruning_jobs_server, worker_server};
use gifthorse_service::configuration::Problem;
use gifthorse_service::main_support::AnyError;
use gifthorse_service::{
    Configuration, Context, Identity, Rpcs, ServiceConfiguration, StoreConfiguration, Validate,
};
use serde::{Deserialize, Serialize};

/// What this program is.
pub const IDENTITY: Identity = Identity {
    name: "trainer",
    version: env!("CARGO_PKG_VERSION"),
    about: "Fine-pruning jobs: queue, leases, progress, reports",
    descriptors: &[gifthorse_api::FILE_DESCRIPTOR_SET],
};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerConfiguration {
    /// What every service has.
    pub service: ServiceConfiguration,
    /// Where artefacts are.
    pub store: StoreConfiguration,
}

/// Where the trainer service listens unless told otherwise.
pub(crate) const PORT: u16 = 4703;

impl Default for TrainerConfiguration {
    fn default() -> Self {
        Self { service: ServiceConfiguration::on_port(PORT), store: StoreConfiguration::default() }
    }
}

impl Validate for TrainerConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        self.store.validate().map_err(|problem| problem.within("store"))
    }
}

impl Configuration for TrainerConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}

/// Builds the rpcs of the trainer service.
#[expect(clippy::unused_async, reason = "the builder of every service is awaited")]
pub async fn build(_: Context<TrainerConfiguration>) -> Result<Rpcs, AnyError> {
    Ok(Rpcs::new().not_built(&[pruning_jobs_server::SERVICE_NAME, worker_server::SERVICE_NAME]))
}
