//! What a linked version has done, in the form of those that run here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_engine::{ModelStatistics, Timing};

/// The counters of one version.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<ModelStatistics>);

/// A request that is under way. Dropped without an outcome, its caller went away.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    ledger: &'a Ledger,
    arrived: Instant,
    ended: bool,
}

impl Ledger {
    /// Counts a request from now on.
    pub(super) fn begin(&self) -> Entry<'_> {
        Entry { ledger: self, arrived: Instant::now(), ended: false }
    }

    /// A call of the server for so many rows was answered.
    pub(super) fn answered(&self, rows: usize, took: Duration) {
        let mut counted = self.counted();
        counted.executions += 1;
        counted.last_inference = Some(SystemTime::now());
        let batch = counted.batches.entry(rows as u64).or_default();
        add(&mut batch.compute_infer, took);
        add(&mut batch.compute_input, Duration::ZERO);
        add(&mut batch.compute_output, Duration::ZERO);
    }

    /// All so far.
    pub(super) fn snapshot(&self) -> ModelStatistics {
        self.counted().clone()
    }

    fn counted(&self) -> MutexGuard<'_, ModelStatistics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry<'_> {
    /// When the request arrived.
    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }

    /// It was answered, after it had waited so long for its turn.
    pub(super) fn succeed(mut self, rows: usize, waited: Duration) {
        self.ended = true;
        let took = self.arrived.elapsed();
        let mut counted = self.ledger.counted();
        counted.rows += rows as u64;
        add(&mut counted.success, took);
        add(&mut counted.queue, waited);
        add(&mut counted.compute_infer, took.saturating_sub(waited));
        add(&mut counted.compute_input, Duration::ZERO);
        add(&mut counted.compute_output, Duration::ZERO);
    }

    /// It failed.
    pub(super) fn fail(mut self, error: &impl Coded) {
        self.ended = true;
        let took = self.arrived.elapsed();
        let mut counted = self.ledger.counted();
        match error.code() {
            ErrorCode::DeadlineExceeded => counted.expired += 1,
            code => {
                add(&mut counted.failure, took);
                *counted.failures.entry(code).or_default() += 1;
            }
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.ledger.counted().cancelled += 1;
        }
    }
}

fn add(timing: &mut Timing, took: Duration) {
    timing.count += 1;
    timing.ns += took.as_nanos() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linked::LinkError;

    #[test]
    fn every_request_is_counted_once() {
        let ledger = Ledger::default();
        ledger.begin().succeed(3, Duration::ZERO);
        ledger.begin().fail(&LinkError::Late { endpoint: "a:1".to_owned() });
        ledger.begin().fail(&LinkError::Document { reason: String::new() });
        drop(ledger.begin());
        ledger.answered(3, Duration::from_millis(1));
        let counted = ledger.snapshot();
        assert_eq!((counted.rows, counted.executions), (3, 1));
        assert_eq!((counted.success.count, counted.failure.count), (1, 1));
        assert_eq!((counted.expired, counted.cancelled), (1, 1));
        assert_eq!(counted.batches[&3].compute_infer, Timing { count: 1, ns: 1_000_000 });
    }
}
