//! What a model has done, counted so that Triton's `ModelStatistics` can be filled from it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gifthorse_api::catalogue::ErrorCode;

/// How often something happened and how long it took in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// How often.
    pub count: u64,
    /// Nanoseconds in all.
    pub ns: u64,
}

impl Timing {
    fn add(&mut self, took: Duration) {
        self.count += 1;
        self.ns += took.as_nanos() as u64;
    }
}

/// Runs of one batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchStatistics {
    /// Gathering the rows.
    pub compute_input: Timing,
    /// Running the network.
    pub compute_infer: Timing,
    /// Copying the outputs and looking through them.
    pub compute_output: Timing,
}

/// What a model has done since it was loaded; warm-up runs are not counted.
///
/// Every request is counted exactly once: in `success`, `failure`, `cancelled` or `expired`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelStatistics {
    /// When the network was last run.
    pub last_inference: Option<SystemTime>,
    /// Rows answered, Triton's `inference_count`.
    pub rows: u64,
    /// Runs of the network, Triton's `execution_count`.
    pub executions: u64,
    /// Answered requests, from arrival to answer.
    pub success: Timing,
    /// Refused and failed requests, from arrival to the error; those refused at once took no time.
    pub failure: Timing,
    /// The failures by kind.
    pub failures: HashMap<ErrorCode, u64>,
    /// Requests whose caller went away first.
    pub cancelled: u64,
    /// Requests whose deadline passed first.
    pub expired: u64,
    /// Waiting, of the answered requests.
    pub queue: Timing,
    /// Gathering rows, of the answered requests; each counts its batch's whole time.
    pub compute_input: Timing,
    /// Running the network, of the answered requests; each counts its batch's whole time.
    pub compute_infer: Timing,
    /// Copying outputs, of the answered requests; each counts its batch's whole time.
    pub compute_output: Timing,
    /// Runs by their count of rows.
    pub batches: BTreeMap<u64, BatchStatistics>,
}

/// One run of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) rows: usize,
    pub(crate) input: Duration,
    pub(crate) infer: Duration,
    pub(crate) output: Duration,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success { rows: usize, waited: Duration, took: Duration },
    Failure { code: ErrorCode, took: Duration },
}

/// The counters of a model, written by its owner threads once a batch.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<ModelStatistics>);

impl Ledger {
    pub(crate) fn snapshot(&self) -> ModelStatistics {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the runs of a batch and how its requests ended.
    pub(crate) fn record(&self, executions: &[Execution], outcomes: impl IntoIterator<Item = Outcome>) {
        let mut statistics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for execution in executions {
            statistics.executions += 1;
            let batch = statistics.batches.entry(execution.rows as u64).or_default();
            batch.compute_input.add(execution.input);
            batch.compute_infer.add(execution.infer);
            batch.compute_output.add(execution.output);
        }
        if !executions.is_empty() {
            statistics.last_inference = Some(SystemTime::now());
        }
        let [input, infer, output] = [
            executions.iter().map(|execution| execution.input).sum(),
            executions.iter().map(|execution| execution.infer).sum(),
            executions.iter().map(|execution| execution.output).sum(),
        ];
        for outcome in outcomes {
            match outcome {
                Outcome::Success { rows, waited, took } => {
                    statistics.rows += rows as u64;
                    statistics.success.add(took);
                    statistics.queue.add(waited);
                    statistics.compute_input.add(input);
                    statistics.compute_infer.add(infer);
                    statistics.compute_output.add(output);
                }
                Outcome::Failure { code: ErrorCode::Cancelled, .. } => statistics.cancelled += 1,
                Outcome::Failure { code: ErrorCode::DeadlineExceeded, .. } => statistics.expired += 1,
                Outcome::Failure { code, took } => {
                    statistics.failure.add(took);
                    *statistics.failures.entry(code).or_default() += 1;
                }
            }
        }
    }
}
