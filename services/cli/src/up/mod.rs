//! The whole house on one machine: four services as child processes on loopback, one data folder.
//!
//! Services start on free ports, each when the addresses of those it asks are known: serving, then the
//! detector and the trainer, then the gateway. They stop from front to back, so that nobody is asked who is gone already. When one ends
//! by itself, all stop. However this process ends, its children end too: see [`attached`].

pub mod attached;
mod child;
mod data_folder;
mod error;
mod house;
mod programs;
mod ready;
mod service;
mod signals;
mod tail;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::error::CommandError;
use crate::output::Output;
use child::Listening;
use data_folder::DataFolder;
pub use error::UpError;
use house::House;
use programs::Programs;
pub use programs::program;
use service::Service;
use signals::StopSignals;

/// What `up` was asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The data folder; none for the user's own.
    pub data: Option<PathBuf>,
    /// Where the gateway listens; port 0 takes a free one.
    pub gateway: SocketAddr,
    /// How long the services may take until all are ready.
    pub ready_within: Duration,
    /// Whether the services' logs are shown on standard error.
    pub show_logs: bool,
}

/// Runs the house until a signal asks it to stop, or a service ends (an error).
pub async fn run(plan: Plan, output: &mut Output) -> Result<(), CommandError> {
    // Signals first: one that comes during the start must stop what was started.
    let mut signals = StopSignals::install().map_err(UpError::Signals)?;
    let programs = Programs::locate()?;
    let data = DataFolder::claim(plan.data.as_deref())?;
    let mut house = House::new(programs, plan.show_logs);
    let ended = tokio::select! {
        ended = live(&mut house, &plan, data.path(), output) => match ended {
            Ok(never) => match never {},
            Err(error) => Err(error),
        },
        () = signals.next() => Ok(()),
    };
    house.stop(&mut signals).await;
    ended
}

/// Starts everything, says where it is, and watches it.
async fn live(
    house: &mut House,
    plan: &Plan,
    data: &Path,
    output: &mut Output,
) -> Result<Infallible, CommandError> {
    let addresses = tokio::time::timeout(plan.ready_within, start(house, plan, data));
    let addresses = addresses.await.unwrap_or_else(|_| Err(house.not_ready(plan.ready_within)))?;
    let running = Running { gateway: addresses.gateway.grpc, data, services: &addresses };
    if output.is_json() {
        output.object(&running)?;
    } else {
        output.text(format!(
            "gifthorse listens on {} and keeps its data in {}; Ctrl-C stops it",
            running.gateway,
            data.display()
        ))?;
    }
    Err(house.first_end().await.into())
}

/// Starts the services and waits until every one is ready.
async fn start(house: &mut House, plan: &Plan, data: &Path) -> Result<Addresses, UpError> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let store = DataFolder::store(data);
    let behind = |service| {
        let settings = vec![
            ("service.listen", anywhere.to_string()),
            ("service.admin_listen", anywhere.to_string()),
            ("store.url", store.to_string_lossy().into_owned()),
        ];
        (service, settings)
    };
    let [serving] = house.start([behind(Service::Serving)]).await?;
    let (detector, mut settings) = behind(Service::Detector);
    // Linked networks are run through serving, which knows the servers that hold them.
    settings.push(("upstream.serving.urls", urls(serving.grpc)));
    let [detector, trainer] = house.start([(detector, settings), behind(Service::Trainer)]).await?;
    let settings = vec![
        ("service.listen", plan.gateway.to_string()),
        ("service.admin_listen", anywhere.to_string()),
        ("upstream.serving.urls", urls(serving.grpc)),
        ("upstream.detector.urls", urls(detector.grpc)),
        ("upstream.trainer.urls", urls(trainer.grpc)),
    ];
    let [gateway] = house.start([(Service::Gateway, settings)]).await?;
    let addresses = Addresses { gateway, serving, detector, trainer };
    tokio::select! {
        () = ready::all(addresses.all()) => Ok(addresses),
        error = house.first_end() => Err(error),
    }
}

/// The value of `upstream.SERVICE.urls` for one address.
fn urls(address: SocketAddr) -> String {
    format!("[\"http://{address}\"]")
}

/// Where every service listens.
#[derive(Debug, Clone, Serialize)]
struct Addresses {
    gateway: Listening,
    serving: Listening,
    detector: Listening,
    trainer: Listening,
}

impl Addresses {
    fn all(&self) -> [SocketAddr; 4] {
        [self.serving.grpc, self.detector.grpc, self.trainer.grpc, self.gateway.grpc]
    }
}

/// What `up --json` prints once everything is ready.
#[derive(Debug, Serialize)]
struct Running<'run> {
    gateway: SocketAddr,
    data: &'run Path,
    services: &'run Addresses,
}
