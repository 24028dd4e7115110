//! The serving service's configuration.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gifthorse_engine::Execution;
use gifthorse_quarantine::QuarantineLimits;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, Validate};
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServingConfiguration {
    /// What every service has.
    pub service: ServiceConfiguration,
    /// Where artefacts are.
    pub store: StoreConfiguration,
    /// ONNX Runtime.
    pub engine: EngineConfiguration,
    /// How requests become batches.
    pub batching: BatchingConfiguration,
    /// Which versions are served.
    pub repository: RepositoryConfiguration,
    /// What a foreign file may cost.
    pub import: ImportConfiguration,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfiguration {
    /// A folder, or the URL of an object store.
    pub url: String,
}

impl Default for StoreConfiguration {
    fn default() -> Self {
        Self { url: "gifthorse-data".to_owned() }
    }
}

/// `[engine]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfiguration {
    /// The ONNX Runtime library; unset: the environment's `ORT_DYLIB_PATH`, then the system's loader.
    pub library: Option<PathBuf>,
    /// Threads of the pool that all models share; unset: one a processor.
    pub threads: Option<NonZeroUsize>,
    /// `"cpu"`, or `{ cuda = { device = 0, required = true } }`.
    pub execution: Execution,
}

/// `[batching]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchingConfiguration {
    /// Sessions of each model.
    pub instances: NonZeroUsize,
    /// Threads of a pool of its own for each session; unset: the shared pool.
    pub threads: Option<NonZeroUsize>,
    /// Rows that share one run at most.
    pub max_rows: NonZeroUsize,
    /// How long a request may wait for company. Zero takes what waits while the session is busy.
    #[serde(with = "humantime_serde")]
    pub max_delay: Duration,
    /// Rows that may wait for each model; more are refused.
    pub queue_rows: NonZeroUsize,
}

impl Default for BatchingConfiguration {
    fn default() -> Self {
        const ROWS: NonZeroUsize = NonZeroUsize::new(32).unwrap();
        const QUEUE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
        Self {
            instances: NonZeroUsize::MIN,
            threads: None,
            max_rows: ROWS,
            max_delay: Duration::ZERO,
            queue_rows: QUEUE,
        }
    }
}

/// `[repository]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepositoryConfiguration {
    /// How many of the newest versions of a model are served beside the promoted one and its suspect.
    pub newest_versions: NonZeroUsize,
    /// How often the store is asked for what other replicas changed.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
}

impl Default for RepositoryConfiguration {
    fn default() -> Self {
        const NEWEST: NonZeroUsize = NonZeroUsize::new(3).unwrap();
        Self { newest_versions: NEWEST, refresh: Duration::from_secs(2) }
    }
}

/// `[import]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportConfiguration {
    /// The largest model file.
    pub file_bytes: ByteSize,
    /// What the process that reads a foreign file may use.
    pub limits: QuarantineLimits,
}

impl Default for ImportConfiguration {
    fn default() -> Self {
        Self { file_bytes: ByteSize::mebibytes(2048), limits: QuarantineLimits::default() }
    }
}

impl Validate for ServingConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        if self.store.url.is_empty() {
            return Err(Problem::new("url", "is empty: give a folder or a URL").within("store"));
        }
        if self.repository.refresh.is_zero() {
            let message = "0s would ask the store without pause: use a longer time";
            return Err(Problem::new("refresh", message).within("repository"));
        }
        Ok(())
    }
}

impl Configuration for ServingConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}
