//! The bounded queue between callers and owner threads, and how a batch is taken from it.
//!
//! One mutex and one condition variable. A caller wakes an owner only when one sleeps and the queue was empty
//! before or has just come to hold a full batch; under load owners never sleep and no call to the system is
//! made. An owner that leaves something behind wakes the next.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::EngineError;
use crate::request::Waiting;

/// What bounds the queue and its batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) queue_rows: usize,
    pub(crate) max_batch_rows: usize,
    pub(crate) max_delay: Duration,
    /// Whether rows of several requests may share a batch.
    pub(crate) batching: bool,
}

/// Requests waiting for an owner.
#[derive(Debug)]
pub(crate) struct Queue {
    model: String,
    limits: Limits,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Waiting>,
    rows: usize,
    /// Owners asleep.
    idle: usize,
    /// Owners alive.
    owners: usize,
    closed: bool,
    /// Lapsed requests that were swept out to make room and whose callers are yet to be told.
    swept: Vec<(Waiting, EngineError)>,
    /// Whether sweeping again would find next to nothing: it was done since a batch was last taken.
    is_swept: bool,
    /// How long a row took of late, for the hint when to retry.
    time_per_row: Duration,
}

/// What an owner gets at a time.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// To be run together; may be empty when only lapsed requests were found.
    pub(crate) batch: Vec<Waiting>,
    /// Not to be run, and why.
    pub(crate) lapsed: Vec<(Waiting, EngineError)>,
}

impl Queue {
    /// An empty queue served by `owners` threads.
    pub(crate) fn new(model: String, limits: Limits, owners: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            rows: 0,
            idle: 0,
            owners,
            closed: false,
            swept: Vec::new(),
            is_swept: false,
            time_per_row: Duration::ZERO,
        };
        Self { model, limits, state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Rows that wait.
    pub(crate) fn rows(&self) -> usize {
        self.state().rows
    }

    /// Adds a request, or refuses it without waiting.
    pub(crate) fn push(&self, request: Waiting) -> Result<(), EngineError> {
        let rows = request.checked.rows;
        let limit = self.limits.queue_rows;
        if rows > limit {
            return Err(EngineError::TooManyRows { model: self.model.clone(), rows, limit });
        }
        let mut state = self.state();
        if state.closed {
            return Err(EngineError::Unloaded { model: self.model.clone() });
        }
        if state.rows + rows > limit {
            state.sweep(request.arrived);
        }
        if state.rows + rows > limit {
            let (queued, retry_after) = (state.rows, state.retry_after());
            drop(state);
            return Err(EngineError::QueueFull {
                model: self.model.clone(),
                rows,
                queued,
                limit,
                retry_after,
            });
        }
        let was_empty = state.waiting.is_empty();
        let was_short = state.rows < self.limits.max_batch_rows;
        state.rows += rows;
        state.waiting.push_back(request);
        let is_full = state.rows >= self.limits.max_batch_rows;
        let wake = state.idle > 0 && (was_empty || (was_short && is_full));
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Sleeps until there is something to do. False when the queue is closed and empty: the owner may end.
    pub(crate) fn take(&self, taken: &mut Taken) -> bool {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            taken.lapsed.append(&mut state.swept);
            state.skip_lapsed(now, &mut taken.lapsed);
            let Some(first) = state.waiting.front() else {
                if !taken.lapsed.is_empty() {
                    return true;
                }
                if state.closed {
                    return false;
                }
                state.idle += 1;
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let age = now.saturating_duration_since(first.arrived);
            let patience = self.limits.max_delay.saturating_sub(age);
            if state.closed || patience.is_zero() || state.rows >= self.limits.max_batch_rows {
                self.fill(&mut state, now, taken);
                let more = state.idle > 0 && !state.waiting.is_empty();
                drop(state);
                if more {
                    self.arrived.notify_one();
                }
                return true;
            }
            if !taken.lapsed.is_empty() {
                return true;
            }
            state.idle += 1;
            let slept = self.arrived.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = slept.0;
            state.idle -= 1;
        }
    }

    fn fill(&self, state: &mut State, now: Instant, taken: &mut Taken) {
        state.is_swept = false;
        let mut rows = 0;
        loop {
            state.skip_lapsed(now, &mut taken.lapsed);
            let Some(next) = state.waiting.front() else { return };
            let fits = taken.batch.first().is_none_or(|first| {
                self.limits.batching
                    && rows + next.checked.rows <= self.limits.max_batch_rows
                    && next.stacks_with(first)
            });
            if !fits {
                return;
            }
            if let Some(next) = state.pop() {
                rows += next.checked.rows;
                taken.batch.push(next);
            }
        }
    }

    /// Notes how long a row took, for the hint when to retry.
    pub(crate) fn note_time_per_row(&self, latest: Duration) {
        let mut state = self.state();
        let before = if state.time_per_row.is_zero() { latest } else { state.time_per_row };
        state.time_per_row = (before * 7 + latest) / 8;
    }

    /// Refuses further requests. What waits is still taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Whether further requests are refused: [`Self::close`] was called, or the last owner has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// An owner has ended. When it was the last, what still waits will never be run and is dropped, which
    /// its callers notice.
    pub(crate) fn owner_ended(&self) {
        let mut state = self.state();
        state.owners -= 1;
        if state.owners == 0 {
            state.closed = true;
            state.waiting.clear();
            state.rows = 0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Waiting> {
        let request = self.waiting.pop_front()?;
        self.rows -= request.checked.rows;
        Some(request)
    }

    fn skip_lapsed(&mut self, now: Instant, lapsed: &mut Vec<(Waiting, EngineError)>) {
        while let Some(error) = self.waiting.front().and_then(|request| request.lapsed(now)) {
            lapsed.extend(self.pop().map(|request| (request, error)));
        }
    }

    /// Takes lapsed requests out of the middle, at most once a batch so that refusing stays cheap.
    fn sweep(&mut self, now: Instant) {
        if std::mem::replace(&mut self.is_swept, true) {
            return;
        }
        for request in std::mem::take(&mut self.waiting) {
            if let Some(error) = request.lapsed(now) {
                self.rows -= request.checked.rows;
                self.swept.push((request, error));
            } else {
                self.waiting.push_back(request);
            }
        }
    }

    fn retry_after(&self) -> Duration {
        let rows = u32::try_from(self.rows / self.owners.max(1)).unwrap_or(u32::MAX);
        self.time_per_row.saturating_mul(rows).clamp(Duration::from_millis(1), Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests;
