//! How workers come about.
//!
//! One implementation starts child processes. The interface asks for no more than an orchestrator can give: an
//! attempt has a name, under which starting it twice starts it once, and a handle, by which a trainer that was
//! started again finds what its predecessor started.

mod dispatcher;
mod ending;
mod handle;
mod process;
mod spawner;

use std::fmt::Debug;

use gifthorse_api::name::{Identifier, PruningJobName};

pub(crate) use dispatcher::Dispatcher;
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
}

impl Launch {
    /// `pruningJobs/ID`, which the worker asks for.
    pub(crate) fn resource_name(&self) -> String {
        PruningJobName(self.job.clone()).to_string()
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// Its worker lives, or is about to.
    Runs,
    /// Its worker is gone; where it did not say how its attempt went, this is why.
    Ended(Fault),
    /// Another trainer looks after it, or would know; the lease tells.
    Elsewhere,
}

/// Starts workers and looks after them.
#[tonic::async_trait]
pub(crate) trait Launcher: Debug + Send + Sync {
    /// What [`Self::observe`] takes for an attempt that is claimed and not launched yet: it has ended when its
    /// claimant is gone.
    fn claim(&self, name: &str) -> String;

    /// Starts a worker for the attempt, or finds the one that was started under its name, and gives its handle.
    async fn launch(&self, launch: &Launch) -> Result<String, Fault>;

    /// What became of an attempt, also of one that was launched before this trainer was started.
    async fn observe(&self, handle: &str) -> Observed;

    /// Ends the worker by force. One that is gone is as good.
    async fn stop(&self, handle: &str);
}
