//! The detector's configuration.

use std::num::NonZeroUsize;

use gifthorse_engine::EngineConfiguration;
use gifthorse_quarantine::QuarantineLimits;
use gifthorse_service::client::ClientConfiguration;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, StoreConfiguration, Validate};
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorConfiguration {
    /// What every service has.
    pub service: ServiceConfiguration,
    /// Where artefacts are.
    pub store: StoreConfiguration,
    /// What a foreign file may cost.
    pub upload: UploadConfiguration,
    /// ONNX Runtime.
    pub engine: EngineConfiguration,
    /// How inputs are scanned.
    pub scan: ScanConfiguration,
    /// Where the other services are.
    pub upstream: UpstreamConfiguration,
}

/// Where the detector service listens unless told otherwise.
pub(crate) const PORT: u16 = 4702;

impl Default for DetectorConfiguration {
    fn default() -> Self {
        Self {
            service: ServiceConfiguration::on_port(PORT),
            store: StoreConfiguration::default(),
            upload: UploadConfiguration::default(),
            engine: EngineConfiguration::default(),
            scan: ScanConfiguration::default(),
            upstream: UpstreamConfiguration::default(),
        }
    }
}

/// `[upload]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfiguration {
    /// The largest data-set file.
    pub file_bytes: ByteSize,
    /// What the process that reads a foreign file may use.
    pub limits: QuarantineLimits,
}

impl Default for UploadConfiguration {
    fn default() -> Self {
        Self { file_bytes: ByteSize::mebibytes(16 * 1024), limits: QuarantineLimits::default() }
    }
}

/// The most rows of one run: what they take in memory is bounded by it.
const MOST_ROWS: usize = 4096;

/// `[scan]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScanConfiguration {
    /// Inputs that are scanned at once; their passes share batches.
    pub concurrent: NonZeroUsize,
    /// Inputs that may wait for their turn; more are refused with `QUEUE_FULL`.
    pub waiting: NonZeroUsize,
    /// Rows of one scan that are given to a network at once, and rows that share one of its runs, at most.
    pub max_rows: NonZeroUsize,
    /// Inputs of one calibration or evaluation that are measured at once.
    pub measuring: NonZeroUsize,
    /// Networks, and calibrations, kept ready in memory.
    pub kept: NonZeroUsize,
}

impl Default for ScanConfiguration {
    fn default() -> Self {
        const CONCURRENT: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        const WAITING: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
        const ROWS: NonZeroUsize = NonZeroUsize::new(128).unwrap();
        const MEASURING: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        const KEPT: NonZeroUsize = NonZeroUsize::new(16).unwrap();
        Self { concurrent: CONCURRENT, waiting: WAITING, max_rows: ROWS, measuring: MEASURING, kept: KEPT }
    }
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfiguration {
    /// The serving service, through which linked networks are run.
    pub serving: ClientConfiguration,
}

impl Default for UpstreamConfiguration {
    /// The port that serving takes by default, on this machine.
    fn default() -> Self {
        let urls = vec![format!("http://127.0.0.1:{}", PORT - 1)];
        Self { serving: ClientConfiguration { urls, ..ClientConfiguration::default() } }
    }
}

impl Validate for DetectorConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        self.store.validate().map_err(|problem| problem.within("store"))?;
        if self.scan.max_rows.get() > MOST_ROWS {
            let message = format!("{} is too many: use 1 to {MOST_ROWS}", self.scan.max_rows);
            return Err(Problem::new("max_rows", message).within("scan"));
        }
        let serving = &self.upstream.serving;
        serving.validate().map_err(|problem| problem.within("serving").within("upstream"))
    }
}

impl Configuration for DetectorConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}
