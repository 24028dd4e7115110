//! The detector service: data sets today; calibrations, scans, policies and alarms answer UNIMPLEMENTED,
//! naming themselves, until they are built.

mod configuration;
mod datasets;
mod foreign;

use gifthorse_api::v1::{alarms_server, datasets_server, detection_server, policies_server};
use gifthorse_quarantine::Quarantine;
use gifthorse_service::main_support::AnyError;
use gifthorse_service::transfer::UploadLimit;
use gifthorse_service::{Context, Identity, Rpcs};
use gifthorse_store::Store;

pub use configuration::DetectorConfiguration;
pub use foreign::reader;

use datasets::DatasetsService;

/// What this program is.
pub const IDENTITY: Identity = Identity {
    name: "detector",
    version: env!("CARGO_PKG_VERSION"),
    about: "Data sets, calibrations, scans and evaluations",
    descriptors: &[gifthorse_api::FILE_DESCRIPTOR_SET],
};

/// Builds the rpcs of the detector service.
pub async fn build(context: Context<DetectorConfiguration>) -> Result<Rpcs, AnyError> {
    let configuration = context.configuration;
    let store = Store::open(&configuration.store.url).await?;
    let quarantine = Quarantine::new(configuration.upload.limits.clone());
    let limit = UploadLimit { bytes: configuration.upload.file_bytes, setting: "upload.file_bytes" };
    let datasets = DatasetsService::new(store.datasets(), quarantine, limit);
    let message_bytes = configuration.service.limits.message_bytes.as_usize();
    let datasets = datasets_server::DatasetsServer::new(datasets)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);

    let not_built =
        [detection_server::SERVICE_NAME, policies_server::SERVICE_NAME, alarms_server::SERVICE_NAME];
    Ok(Rpcs::new().serve(datasets).not_built(&not_built))
}
