//! What a stage is to the job, and how long one piece of work lasts.

use std::path::Path;
use std::time::{Duration, Instant};

use super::job::Job;
use crate::engine::{Advance, Cancelled, EngineFault, Extent};

/// About how long a piece of work lasts, so that progress is told and cancelling is noticed.
const PIECE: Duration = Duration::from_millis(700);

/// One stage under way, with what it holds beyond the job's state: nothing that a checkpoint does not bring back.
pub(super) trait Work {
    /// How long the stage is, and how much of it the state says is done.
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault>;

    /// Does a piece of it.
    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault>;

    /// Writes what only this stage holds and needs to go on.
    fn save(&self, _: &Path) -> Result<(), EngineFault> {
        Ok(())
    }
}

/// The time of one piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece(Instant);

impl Piece {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Whether it is over.
    pub(super) fn is_over(self) -> bool {
        self.0.elapsed() >= PIECE
    }
}
