//! The detector service: data sets, calibrations, scans, evaluations and policies. Alarms answer UNIMPLEMENTED,
//! naming themselves, until they are built.

mod calibration;
mod configuration;
mod datasets;
mod decision;
mod error;
mod evaluation;
mod foreign;
mod guarded;
mod images;
mod job;
mod network;
mod policy;
mod rpc;
mod scan;

use std::sync::Arc;

use gifthorse_api::v1::{alarms_server, datasets_server, detection_server, policies_server};
use gifthorse_engine::Engine;
use gifthorse_quarantine::Quarantine;
use gifthorse_service::client::Peer;
use gifthorse_service::main_support::AnyError;
use gifthorse_service::transfer::UploadLimit;
use gifthorse_service::{Context, Identity, Rpcs, StoreConfiguration};
use gifthorse_store::Store;

pub use configuration::DetectorConfiguration;
pub use foreign::reader;

use calibration::{Calibrations, Library, Maker};
use datasets::DatasetsService;
use evaluation::Evaluator;
use guarded::GuardedExporter;
use network::Networks;
use policy::{Deciders, PoliciesService, PolicyLogs};
use rpc::DetectionService;
use scan::{Admission, Scanner};

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
    let engine = Engine::start(&configuration.engine.options())?;
    let StoreConfiguration { url, cache, cache_bytes } = configuration.store.clone();
    let store = Store::open(&url).await?.with_cache(cache, cache_bytes.get()).await?;
    let scan = &configuration.scan;
    let serving = Peer::new("serving", &configuration.upstream.serving, &context.tasks)?;
    let execution = configuration.engine.execution;
    let networks =
        Arc::new(Networks::new(store.models(), engine, execution, scan.max_rows, serving, scan.kept));
    let calibrations: Calibrations = store.artefacts();
    let policies: PolicyLogs = store.logs();
    let library = Arc::new(Library::new(calibrations.clone(), Arc::clone(&networks), scan.kept));
    let deciders =
        Arc::new(Deciders::new(policies.clone(), Arc::clone(&library), Arc::clone(&networks), scan.kept));
    let workers = scan.measuring.get();
    let detection = DetectionService {
        calibrations: calibrations.clone(),
        policies: policies.clone(),
        library: Arc::clone(&library),
        maker: Maker {
            calibrations: calibrations.clone(),
            datasets: store.datasets(),
            networks: Arc::clone(&networks),
            workers,
        },
        scanner: Scanner { deciders: Arc::clone(&deciders), admission: Admission::new(scan) },
        evaluator: Evaluator {
            datasets: store.datasets(),
            networks: Arc::clone(&networks),
            deciders: Arc::clone(&deciders),
            workers,
        },
        exporter: GuardedExporter {
            models: store.models(),
            calibrations,
            networks: Arc::clone(&networks),
            library,
        },
        tasks: context.tasks,
    };
    let policies = PoliciesService { policies, deciders, networks };
    let quarantine = Quarantine::new(configuration.upload.limits.clone());
    let limit = UploadLimit { bytes: configuration.upload.file_bytes, setting: "upload.file_bytes" };
    let datasets = DatasetsService::new(store.datasets(), quarantine, limit);
    let message_bytes = configuration.service.limits.message_bytes.as_usize();
    let datasets = datasets_server::DatasetsServer::new(datasets)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);
    let detection = detection_server::DetectionServer::new(detection)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);
    let policies = policies_server::PoliciesServer::new(policies)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);
    Ok(Rpcs::new().serve(datasets).serve(detection).serve(policies).not_built(&[alarms_server::SERVICE_NAME]))
}
