//! The engine of a release without one: it says so.

use gifthorse_api::catalogue::ErrorCode;

use crate::engine::{Assignment, Engine, EngineFault, Engines};

/// Fails every job before it begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotBuilt;

impl Engines for NotBuilt {
    fn open(&self, _: &Assignment) -> Result<Box<dyn Engine>, EngineFault> {
        let message = "fine-pruning is part of the contract but this release has no engine for it";
        Err(EngineFault::internal(ErrorCode::NotBuilt, message))
    }
}
