//! The queue: every job, its events, its log and its lease, in the database.
//!
//! A job is one row. Whoever changes it locks that row, looks at it, and writes row and event in one
//! transaction; so two trainers never do the same thing twice.

mod cancel;
mod create;
mod end;
mod events;
mod faults;
mod housekeeping;
mod job;
mod launches;
mod leader;
mod lease;
mod log;
mod read;
mod report;
mod rows;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use gifthorse_api::name::Identifier;
use tokio::sync::watch;

pub(crate) use create::NewJob;
pub(crate) use faults::Fault;
pub(crate) use job::{Job, State, state_name};
pub(crate) use launches::{Due, Ended, Standing};
pub(crate) use leader::Leadership;
pub(crate) use lease::WorkerRequest;
pub(crate) use read::Listing;
pub(crate) use rows::job_id;
pub(crate) use token::LeaseToken;

use crate::configuration::JobsConfiguration;
use crate::database::Database;
use crate::time::Clock;

/// All jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    database: Database,
    settings: Arc<JobsConfiguration>,
    clock: Clock,
    changed: Arc<watch::Sender<u64>>,
}

impl Queue {
    /// The queue in this database.
    pub(crate) fn new(database: Database, settings: JobsConfiguration) -> Self {
        Self { database, settings: Arc::new(settings), clock: Clock::default(), changed: Arc::default() }
    }

    /// Tells when something changed through this trainer; what others change is found by looking.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn settings(&self) -> &JobsConfiguration {
        &self.settings
    }

    /// Makes those look who wait for changes.
    fn announce(&self, job: &Identifier) {
        tracing::debug!(%job, "job changed");
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}
