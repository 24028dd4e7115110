//! The detector's configuration.

use gifthorse_quarantine::QuarantineLimits;
use gifthorse_service::configuration::Problem;
use gifthorse_service::{ByteSize, Configuration, ServiceConfiguration, Validate};
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
}

/// Where the detector service listens unless told otherwise.
pub(crate) const PORT: u16 = 4702;

impl Default for DetectorConfiguration {
    fn default() -> Self {
        Self {
            service: ServiceConfiguration::on_port(PORT),
            store: StoreConfiguration::default(),
            upload: UploadConfiguration::default(),
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

impl Validate for DetectorConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        if self.store.url.is_empty() {
            return Err(Problem::new("url", "is empty: give a folder").within("store"));
        }
        Ok(())
    }
}

impl Configuration for DetectorConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}
