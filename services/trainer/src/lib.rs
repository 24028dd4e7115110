//! The trainer service: fine-pruning jobs and the workers that run them.
//!
//! Jobs are rows of a database ([`database`]), changed only by the [`queue`]. What a job may ask for is checked
//! by [`specification`] before anything is stored. Workers are started by a [`launcher`], hold leases, and
//! report through `gifthorse.v1.Worker`; the [`housekeeper`] puts back what dead ones held.

mod configuration;
mod database;
mod error;
mod files;
mod housekeeper;
mod launcher;
mod log_keeper;
mod publisher;
mod queue;
mod rpc;
mod specification;
mod time;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gifthorse_api::v1::{pruning_jobs_server, worker_server};
use gifthorse_service::main_support::AnyError;
use gifthorse_service::{ByteSize, Context, Identity, OnError, Rpcs};
use gifthorse_store::Store;
use tokio::sync::mpsc;

pub use configuration::TrainerConfiguration;

use configuration::{LauncherConfiguration, LauncherKind};
use database::{Database, DatabaseUrl};
use housekeeper::Housekeeper;
use launcher::{Credentials, Dispatcher, Jobs, Launcher, Processes};
use queue::Queue;
use rpc::{House, JobsService, WorkerService};

/// What this program is.
pub const IDENTITY: Identity = Identity {
    name: "trainer",
    version: env!("CARGO_PKG_VERSION"),
    about: "Fine-pruning jobs: queue, leases, progress, reports",
    descriptors: &[gifthorse_api::FILE_DESCRIPTOR_SET],
};

/// The file of the jobs, where nothing else is configured.
const DATABASE_FILE: &str = "trainer.sqlite";
/// Lines of workers that may wait for the database.
const WAITING_LINES: usize = 1000;

/// Builds the rpcs of the trainer service.
pub async fn build(context: Context<TrainerConfiguration>) -> Result<Rpcs, AnyError> {
    let configuration = &context.configuration;
    let store = Store::open(&configuration.store.url).await?;
    // It stores and lists; what workers fetch they fetch themselves.
    let url = match &configuration.database.url {
        Some(url) => DatabaseUrl::parse(url.reveal())?,
        None => DatabaseUrl::file(&folder_of(&configuration.store.url).join(DATABASE_FILE))?,
    };
    let database = Database::open(&url, &configuration.database).await?;
    let queue = Queue::new(database, configuration.jobs.clone());
    let prolonged = queue.prolong_leases().await?;
    if prolonged > 0 {
        tracing::info!(jobs = prolonged, "workers of running jobs are given time to be heard");
    }
    let mut store_address = absolute(&configuration.store.url);
    if configuration.launcher.kind == LauncherKind::Kubernetes {
        let path = configuration.launcher.kubernetes.store_path.as_ref();
        let path = path.filter(|path| !path.as_os_str().is_empty());
        store_address = path.map_or(store_address, |path| path.to_string_lossy().into_owned());
    }
    let credentials = start_workers(&context, &queue, &store_address).await?;
    let housekeeper = Housekeeper::new(queue.clone(), store.clone())?;
    context.tasks.spawn("keep house", OnError::Shutdown, |stop| housekeeper.run(stop));

    let launcher = &configuration.launcher;
    let house = House {
        queue: match launcher.kind {
            LauncherKind::Processes => "this machine".to_owned(),
            LauncherKind::Kubernetes => {
                configuration::given(launcher.kubernetes.queue.as_ref()).unwrap_or("the cluster").to_owned()
            }
            LauncherKind::None => "workers that come".to_owned(),
        },
        memory_limit: launcher.memory.map(ByteSize::get),
        workers_come: launcher.kind == LauncherKind::None,
    };
    let worker = WorkerService {
        queue: queue.clone(),
        checkpoints: store.artefacts(),
        store: store_address,
        credentials: credentials.map(Arc::new),
    };
    // Streams end when the drain begins: whoever watches goes on elsewhere.
    let stop = tokio_util::sync::CancellationToken::new();
    let (draining, shutdown) = (stop.clone(), context.shutdown.clone());
    drop(context.tasks.start("end streams at the drain", async move {
        shutdown.requested().await;
        draining.cancel();
    }));
    let jobs = JobsService { queue, store, house, stop };
    let message_bytes = configuration.service.limits.message_bytes.as_usize();
    let jobs = pruning_jobs_server::PruningJobsServer::new(jobs)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);
    let worker = worker_server::WorkerServer::new(worker)
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);
    Ok(Rpcs::new().serve(jobs).serve(worker))
}

/// Starts what starts workers, where this trainer does that; gives what knows them by their tokens, where they have
/// any.
async fn start_workers(
    context: &Context<TrainerConfiguration>,
    queue: &Queue,
    store: &str,
) -> Result<Option<Credentials>, AnyError> {
    let settings = context.configuration.launcher.clone();
    let (launcher, credentials): (Arc<dyn Launcher>, _) = match settings.kind {
        LauncherKind::None => return Ok(None),
        LauncherKind::Processes => {
            let program = worker_program(&settings)?;
            let (said, lines) = mpsc::channel(WAITING_LINES);
            let trainer = format!("http://{}", reachable(context.addresses.grpc));
            let keeper = queue.clone();
            context.tasks.spawn("keep logs", OnError::Shutdown, |_| log_keeper::keep(keeper, lines));
            (Arc::new(Processes::new(program, trainer, said, context.tasks.clone())?), None)
        }
        LauncherKind::Kubernetes => {
            let jobs = Jobs::new(&settings, store.to_owned()).await?;
            jobs.start(&context.tasks);
            let credentials = jobs.credentials();
            (Arc::new(jobs), credentials)
        }
    };
    let dispatcher = Dispatcher::new(queue.clone(), launcher, settings);
    context.tasks.spawn("start workers", OnError::Shutdown, |stop| dispatcher.run(stop));
    Ok(credentials)
}

/// The worker's program: as configured, or beside this one.
fn worker_program(settings: &LauncherConfiguration) -> Result<PathBuf, AnyError> {
    if let Some(program) = &settings.program {
        return Ok(program.clone());
    }
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(Path::new(".")).join("gifthorse-worker"))
}

/// The address by which a process of this machine reaches a listener.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// The folder that a store's address stands for; the store has opened it, so the address is sound.
fn folder_of(url: &str) -> PathBuf {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "file" => parsed.to_file_path().unwrap_or_else(|()| url.into()),
        _ => url.into(),
    }
}

/// Whether an address is that of a bucket, which has no folder.
pub(crate) fn is_bucket(url: &str) -> bool {
    url.starts_with("s3://")
}

/// The store's address for programs that may run in another folder.
fn absolute(url: &str) -> String {
    if is_bucket(url) {
        return url.to_owned();
    }
    let folder = folder_of(url);
    std::path::absolute(&folder).unwrap_or(folder).to_string_lossy().into_owned()
}
