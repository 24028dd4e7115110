//! The gateway's configuration.

use std::num::NonZeroUsize;
use std::time::Duration;

use gifthorse_service::client::ClientConfiguration;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, Validate};
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfiguration {
    /// What every service has.
    pub service: ServiceConfiguration,
    /// Where the other services are.
    pub upstream: UpstreamConfiguration,
    /// What pictures may cost.
    pub pictures: PictureConfiguration,
    /// What is remembered of the model repository.
    pub models: ModelsConfiguration,
}

/// Where the gateway service listens unless told otherwise.
pub(crate) const PORT: u16 = 4700;

impl Default for GatewayConfiguration {
    fn default() -> Self {
        Self {
            service: ServiceConfiguration::on_port(PORT),
            upstream: UpstreamConfiguration::default(),
            pictures: PictureConfiguration::default(),
            models: ModelsConfiguration::default(),
        }
    }
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamConfiguration {
    /// Model repository and inference.
    pub serving: ClientConfiguration,
    /// Data sets, calibrations, scans, policies and alarms.
    pub detector: ClientConfiguration,
    /// Pruning jobs.
    pub trainer: ClientConfiguration,
}

impl Default for UpstreamConfiguration {
    /// The ports that the other services take by default, on this machine.
    fn default() -> Self {
        let on = |port: u16| ClientConfiguration {
            urls: vec![format!("http://127.0.0.1:{port}")],
            ..ClientConfiguration::default()
        };
        Self { serving: on(PORT + 1), detector: on(PORT + 2), trainer: on(PORT + 3) }
    }
}

/// `[pictures]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PictureConfiguration {
    /// The largest picture file.
    pub file_bytes: ByteSize,
    /// The most pixels of a picture, read off its header before anything is decoded.
    pub pixels: u64,
    /// Pictures being decoded at once. Each may take some ten bytes a pixel while it is.
    pub concurrent: NonZeroUsize,
}

impl Default for PictureConfiguration {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { file_bytes: ByteSize::mebibytes(32), pixels: 50_000_000, concurrent: cores }
    }
}

/// `[models]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelsConfiguration {
    /// How long the answers to "which version is promoted" and "which policy is in force" may be used again. A
    /// promotion or a policy takes effect at this gateway within that time; a request always runs on one version
    /// with that version's record.
    #[serde(with = "humantime_serde")]
    pub promotion_age: Duration,
    /// Records of versions kept in memory, and as many policies; versions are immutable, so a record never gets
    /// old.
    pub records: NonZeroUsize,
}

impl Default for ModelsConfiguration {
    fn default() -> Self {
        const RECORDS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
        Self { promotion_age: Duration::from_millis(500), records: RECORDS }
    }
}

impl Validate for GatewayConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        for (name, upstream) in [
            ("serving", &self.upstream.serving),
            ("detector", &self.upstream.detector),
            ("trainer", &self.upstream.trainer),
        ] {
            if upstream.urls.is_empty() {
                let message = format!("no address of the {name} service: give [\"http://host:port\"]");
                return Err(Problem::new("urls", message).within(name).within("upstream"));
            }
            upstream.validate().map_err(|problem| problem.within(name).within("upstream"))?;
        }
        Ok(())
    }
}

impl Configuration for GatewayConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}
