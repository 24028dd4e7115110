//! How workers come about.
//!
//! One implementation starts child processes, the other one Jobs of a Kubernetes cluster. The interface asks for no
//! more than an orchestrator can give: an attempt has a name, under which starting it twice starts it once, and a
//! handle, by which a trainer that was started again finds what its predecessor started.

mod dispatcher;
mod ending;
mod handle;
mod kubernetes;
mod process;
mod spawner;

use std::fmt::Debug;

use gifthorse_api::name::{Identifier, PruningJobName};

pub(crate) use dispatcher::Dispatcher;
pub(crate) use kubernetes::{Credentials, CredentialsError, Jobs};
pub(crate) use process::{Processes, Said};

use crate::queue::Fault;

/// An attempt at a job that a worker is to be started for.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The attempt's name, the same however often it is launched.
    pub(crate) name: String,
    /// The job.
    pub(crate) job: Identifier,
    /// Memory that the worker may map, in bytes; none for no limit.
    pub(crate) memory_bytes: Option<u64>,
    /// Cores that the worker asks for; none for the launcher's default.
    pub(crate) cores: Option<f64>,
    /// Graphics processors that the worker gets.
    pub(crate) gpus: u32,
    /// Where it queues; empty for the launcher's default.
    pub(crate) queue: String,
    /// The class of its priority; empty for the launcher's default.
    pub(crate) priority_class: String,
}

impl Launch {
    /// `pruningJobs/ID`, which the worker asks for.
    pub(crate) fn resource_name(&self) -> String {
        PruningJobName(self.job.clone()).to_string()
    }
}

/// Why an attempt was not launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotLaunched {
    /// It failed, and counts.
    Failed(Fault),
    /// Nobody could say or do anything just now: it is tried again, and counts for nothing.
    NotNow(Fault),
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// Its worker does not run yet; this is what it waits for, where somebody should know.
    Waits(Option<Fault>),
    /// Its worker lives.
    Runs,
    /// Its worker is gone.
    Ended(Ending),
    /// Nobody can say just now: nothing follows from it.
    Unknown,
    /// Another trainer looks after it, or would know; the lease tells.
    Elsewhere,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Why, where its worker did not say how its attempt went.
    pub(crate) fault: Fault,
    /// What its worker wrote last, where that is not in the job's log yet.
    pub(crate) log: Vec<String>,
}

impl From<Fault> for Ending {
    fn from(fault: Fault) -> Self {
        Self { fault, log: Vec::new() }
    }
}

/// Starts workers and looks after them.
#[tonic::async_trait]
pub(crate) trait Launcher: Debug + Send + Sync {
    /// Whether workers live on without this trainer, and any other one can look after them.
    fn outlives_trainers(&self) -> bool;

    /// What [`Self::observe`] takes for an attempt that is claimed and not launched yet.
    fn claim(&self, name: &str) -> String;

    /// Starts a worker for the attempt, or finds the one that was started under its name, and gives its handle.
    async fn launch(&self, launch: &Launch) -> Result<String, NotLaunched>;

    /// What became of an attempt, also of one that was launched before this trainer was started.
    async fn observe(&self, handle: &str) -> Observed;

    /// Ends the worker by force. One that is gone is as good.
    async fn stop(&self, handle: &str);
}
