//! One job as the database keeps it.

use gifthorse_api::name::{Identifier, PruningJobName};
use gifthorse_api::v1;
pub(crate) use gifthorse_api::v1::pruning_job::State;

use super::faults::Fault;
use crate::time::{Millis, timestamp};

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    pub(crate) id: Identifier,
    pub(crate) model: Identifier,
    /// What was asked for, with the version that it was resolved to.
    pub(crate) specification: v1::PruningSpecification,
    pub(crate) state: State,
    pub(crate) created: Millis,
    pub(crate) started: Millis,
    pub(crate) ended: Millis,
    /// Not to be started before.
    pub(crate) due: Millis,
    /// Given up after; 0 for never.
    pub(crate) deadline: Millis,
    /// How long it is kept once it has ended.
    pub(crate) keep: Millis,
    pub(crate) max_retries: i64,
    pub(crate) attempts: i64,
    /// Attempts that failed.
    pub(crate) failures: i64,
    pub(crate) stage: String,
    pub(crate) done: i64,
    pub(crate) total: i64,
    /// What came out; only the fields of results count.
    pub(crate) result: v1::PruningJob,
    pub(crate) fault: Option<Fault>,
    pub(crate) last_sequence: i64,
    pub(crate) last_line: i64,
    /// Digest of the token; empty without a lease. Kept when the job ends, so that a repeated report is known.
    pub(crate) lease: String,
    pub(crate) lease_until: Millis,
    pub(crate) worker: String,
    pub(crate) checkpoint: Option<v1::Checkpoint>,
    /// What the launcher calls the attempt; empty when none was launched.
    pub(crate) launch: String,
    /// Until when nobody else starts it.
    pub(crate) launch_until: Millis,
    /// Whether its version is still to be promoted.
    pub(crate) publish: bool,
}

impl Job {
    /// Whether nothing will change any more.
    pub(crate) fn is_over(&self) -> bool {
        is_over(self.state)
    }

    /// Whether a worker has it.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, State::Running | State::Cancelling)
    }

    /// Whether the attempt of this handle is to take the lease: its claim is open, which a fault closes.
    pub(super) fn awaits(&self, handle: &str) -> bool {
        self.state == State::Queued && self.launch_until > 0 && self.launch == handle
    }

    /// The name of the attempt that would be launched now: the same however often it is asked for.
    pub(crate) fn launch_name(&self) -> String {
        format!("{}-{}", self.id, self.attempts + 1)
    }

    /// The name of the attempt that runs now.
    pub(crate) fn attempt_name(&self) -> String {
        format!("{}-{}", self.id, self.attempts)
    }

    /// The message of the API.
    pub(crate) fn message(&self) -> v1::PruningJob {
        v1::PruningJob {
            name: PruningJobName(self.id.clone()).to_string(),
            specification: Some(self.specification.clone()),
            state: self.state.into(),
            stage: self.stage.clone(),
            done: self.done,
            total: self.total,
            create_time: timestamp(self.created),
            start_time: timestamp(self.started),
            end_time: timestamp(self.ended),
            attempts: i32::try_from(self.attempts).unwrap_or(i32::MAX),
            fault: self.fault.as_ref().map(Fault::message),
            last_sequence: self.last_sequence,
            ..self.result.clone()
        }
    }
}

/// What of a worker's report is a result; everything else is the trainer's own knowledge.
pub(super) fn results_of(reported: v1::PruningJob) -> v1::PruningJob {
    v1::PruningJob {
        name: String::new(),
        specification: None,
        state: State::Unspecified.into(),
        stage: String::new(),
        done: 0,
        total: 0,
        create_time: None,
        start_time: None,
        end_time: None,
        attempts: 0,
        fault: None,
        last_sequence: 0,
        ..reported
    }
}

/// Whether a job in this state has ended.
pub(super) const fn is_over(state: State) -> bool {
    matches!(state, State::Succeeded | State::Failed | State::Cancelled)
}

/// The state for people.
pub(crate) const fn state_name(state: State) -> &'static str {
    match state {
        State::Unspecified => "in no state",
        State::Queued => "queued",
        State::Running => "running",
        State::Succeeded => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
        State::Cancelling => "being cancelled",
    }
}
