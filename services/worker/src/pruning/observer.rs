//! Whoever waits for long work.

use super::point::SweepPoint;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Images go through the first half; counted in images.
    Activations,
    /// Channels are pruned; counted in images times steps.
    Sweep,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Hears of progress, and may end the work. Called between batches, from the thread that works.
pub trait Observer {
    /// Whether to stop; the work then fails with [`SweepError::Cancelled`](super::SweepError::Cancelled).
    fn is_cancelled(&self) -> bool {
        false
    }

    /// A batch is done.
    fn progress(&self, progress: Progress) {
        let _ = progress;
    }

    /// A point of the curve is known; points come in order, and work that is cut off later can go on behind
    /// the last one.
    fn point(&self, point: &SweepPoint) {
        let _ = point;
    }
}

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
