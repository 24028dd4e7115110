//! The serving service's configuration.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use gifthorse_engine::Execution;
use gifthorse_quarantine::QuarantineLimits;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, Validate};
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// Where the serving service listens unless told otherwise.
pub(crate) const PORT: u16 = 4701;

impl Default for ServingConfiguration {
    fn default() -> Self {
        Self {
            service: ServiceConfiguration::on_port(PORT),
            store: StoreConfiguration::default(),
            engine: EngineConfiguration::default(),
            batching: BatchingConfiguration::default(),
            repository: RepositoryConfiguration::default(),
            import: ImportConfiguration::default(),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfiguration {
    /// A folder, as a path or a `file://` URL; replicas share it.
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
    pub newest_versions: NonZeroU16,
    /// How often the store is asked for what other replicas changed.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
}

impl Default for RepositoryConfiguration {
    fn default() -> Self {
        const NEWEST: NonZeroU16 = NonZeroU16::new(3).unwrap();
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
        // A network is read in seconds; a damaged HDF5 file can keep libhdf5 busy for ever, and only two
        // readers run at once.
        let limits = QuarantineLimits { cpu_time: Duration::from_mins(1), ..QuarantineLimits::default() };
        Self { file_bytes: ByteSize::mebibytes(2048), limits }
    }
}

impl Validate for ServingConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        if self.store.url.is_empty() {
            return Err(Problem::new("url", "is empty: give a folder").within("store"));
        }
        if self.batching.queue_rows < self.batching.max_rows {
            let message =
                format!("{} is less than max_rows: a full batch could never wait", self.batching.queue_rows);
            return Err(Problem::new("queue_rows", message).within("batching"));
        }
        if self.repository.newest_versions.get() > 1000 {
            let message = format!("{} is too many: use 1 to 1000", self.repository.newest_versions);
            return Err(Problem::new("newest_versions", message).within("repository"));
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
