//! The serving service: the model repository and inference over ONNX Runtime.

mod audit;
mod configuration;
mod foreign;
mod linked;
mod models;
mod protocol;
mod repository;
mod sweep;

use std::sync::Arc;

use gifthorse_api::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use gifthorse_api::v1::models_server::ModelsServer;
use gifthorse_engine::Engine;
use gifthorse_quarantine::Quarantine;
use gifthorse_service::main_support::AnyError;
use gifthorse_service::transfer::UploadLimit;
use gifthorse_service::{Context, Identity, OnError, Rpcs, StoreConfiguration};
use gifthorse_store::Store;

pub use configuration::{LinkConfiguration, ServingConfiguration};
pub use foreign::reader;
pub use linked::Address;

use models::{Importer, Linker, ModelsService};
use protocol::Protocol;
use repository::Repository;

/// What this program is.
pub const IDENTITY: Identity = Identity {
    name: "serving",
    version: env!("CARGO_PKG_VERSION"),
    about: "Model repository and inference (Open Inference Protocol v2)",
    descriptors: &[gifthorse_api::FILE_DESCRIPTOR_SET],
};

/// Builds the rpcs of the serving service.
pub async fn build(context: Context<ServingConfiguration>) -> Result<Rpcs, AnyError> {
    let Context { configuration, readiness, tasks, .. } = context;
    let loaded = readiness.latch("models");
    let engine = Engine::start(&configuration.engine.options())?;
    let StoreConfiguration { url, cache, cache_bytes } = configuration.store.clone();
    let store = Store::open(&url).await?.with_cache(cache, cache_bytes.get()).await?;
    let library = engine.library().to_owned();
    let repository = Arc::new(Repository::new(store.models(), engine, &configuration, tasks.clone()));
    let following = Arc::clone(&repository);
    tasks.spawn("follow the store", OnError::Shutdown, move |stop| following.follow(loaded, stop));

    let watching = Arc::clone(&repository);
    tasks.spawn("probe linked networks", OnError::Shutdown, move |stop| watching.watch_links(stop));

    let importer = Importer {
        models: store.models(),
        repository: Arc::clone(&repository),
        quarantine: Quarantine::new(configuration.import.limits.clone()),
        limit: UploadLimit { bytes: configuration.import.file_bytes, setting: "import.file_bytes" },
        library,
        tasks: tasks.clone(),
    };
    let linker = Linker { importer: importer.clone(), configuration: configuration.link.clone() };
    let models = ModelsService::new(importer, linker);
    tasks.spawn("sweep the store", OnError::Log, move |stop| sweep::hourly(store, stop));
    let protocol = Protocol::new(repository, configuration.batching, readiness);
    let message_bytes = configuration.service.limits.message_bytes.as_usize();
    Ok(Rpcs::new()
        .serve(
            GrpcInferenceServiceServer::new(protocol)
                .max_decoding_message_size(message_bytes)
                .max_encoding_message_size(message_bytes),
        )
        .serve(
            ModelsServer::new(models)
                .max_decoding_message_size(message_bytes)
                .max_encoding_message_size(message_bytes),
        ))
}
