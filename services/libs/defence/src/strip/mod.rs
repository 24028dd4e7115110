//! STRIP: blend the input with clean images and see whether the answer budges.
//!
//! A trigger survives the blending and holds the answer: the entropy of the answers stays low, the margin of
//! the class stays high.

mod entropy;
mod margin;
mod votes;

use gifthorse_api::catalogue::{Coded, ErrorCode};

pub use entropy::{StripEntropy, StripScan};
pub use margin::StripMargin;
pub use votes::Votes;

/// Why a STRIP detector cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StripError {
    /// More blends are asked for than there are overlays.
    #[error(
        "{passes} passes need {passes} overlays, the bank has {overlays}: use fewer passes or a larger bank"
    )]
    PassesExceedBank {
        /// Passes asked for.
        passes: usize,
        /// Overlays there are.
        overlays: usize,
    },
    /// No blends are asked for.
    #[error("0 passes tell nothing: use at least 1")]
    NoPasses,
}

impl Coded for StripError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::PassesExceedBank { .. } | Self::NoPasses => ErrorCode::InvalidField,
        }
    }
}

fn check_passes(passes: usize, overlays: usize) -> Result<(), StripError> {
    match passes {
        0 => Err(StripError::NoPasses),
        passes if passes > overlays => Err(StripError::PassesExceedBank { passes, overlays }),
        _ => Ok(()),
    }
}
