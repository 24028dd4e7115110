//! The serving service's configuration.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use gifthorse_engine::EngineConfiguration;
use gifthorse_quarantine::QuarantineLimits;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, StoreConfiguration, Validate};
use serde::{Deserialize, Serialize};

use crate::linked::Address;

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
    /// Networks that foreign servers hold.
    pub link: LinkConfiguration,
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
            link: LinkConfiguration::default(),
        }
    }
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

/// `[link]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfiguration {
    /// The servers that may be linked, each `host:port`; none unless they are listed. They are called without TLS.
    pub endpoints: Vec<Address>,
    /// How long a connection may take to be made.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a server may take to answer, whatever a caller's deadline.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How often each linked network is asked the probes again.
    #[serde(with = "humantime_serde")]
    pub probe_interval: Duration,
    /// Calls that are under way at once, for each linked version.
    pub concurrent_requests: NonZeroUsize,
    /// Rows that go into one call at most.
    pub max_rows: NonZeroUsize,
    /// Bytes of tensors that go into one call, unless one row is larger. Many servers take 4 MiB.
    pub part_bytes: ByteSize,
    /// The largest message sent or taken.
    pub message_bytes: ByteSize,
}

impl Default for LinkConfiguration {
    fn default() -> Self {
        const CALLS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        const ROWS: NonZeroUsize = NonZeroUsize::new(128).unwrap();
        Self {
            endpoints: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(30),
            probe_interval: Duration::from_mins(1),
            concurrent_requests: CALLS,
            max_rows: ROWS,
            part_bytes: ByteSize::mebibytes(3),
            message_bytes: ByteSize::mebibytes(64),
        }
    }
}

impl Validate for LinkConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        for (key, time) in [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("probe_interval", self.probe_interval),
        ] {
            if time.is_zero() {
                return Err(Problem::new(key, "is 0s: use a longer time"));
            }
        }
        Ok(())
    }
}

impl Validate for ServingConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        self.link.validate().map_err(|problem| problem.within("link"))?;
        self.store.validate().map_err(|problem| problem.within("store"))?;
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
