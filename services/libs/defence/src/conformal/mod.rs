//! Split conformal calibration: thresholds and p-values that hold for any law of scores.
//!
//! All that is asked is that the input judged, if clean, is exchangeable with the m calibration inputs: drawn
//! alike, and neither trained on nor used as overlay, host or reference.

mod normal_fit;
mod pac;
mod scores;

use std::fmt;

use gifthorse_api::catalogue::{Coded, ErrorCode};

pub use normal_fit::{NormalFit, NormalFitError};
pub use pac::{pac_rank, smallest_pac_calibration};
pub use scores::{CalibrationScores, ConformalThreshold, PValue};

use crate::level::Level;

/// What a threshold promises about the false rejection rate (FRR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// The mean FRR over calibrations is at most the level; a single calibration exceeds it about half the
    /// time.
    Marginal,
    /// FRR at most the level, for all calibrations but a share of at most `doubt` (delta).
    Confident {
        /// One less the confidence.
        doubt: Level,
    },
}

impl fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marginal => formatter.write_str("on average"),
            Self::Confident { doubt } => write!(formatter, "with a doubt of at most {doubt}"),
        }
    }
}

/// Why scores make no calibration, or a calibration supports no such threshold.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// There are no scores.
    #[error("a calibration needs at least one clean input")]
    Empty,
    /// A score is NaN or infinite.
    #[error("calibration score {index} is {value}: scores must be finite")]
    NotFinite {
        /// Which score.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// The calibration is too small for the level.
    #[error(
        "a false rejection rate of {level} {guarantee} needs {need} calibration inputs, there are {have}: \
         calibrate with more clean inputs, or ask for a higher level"
    )]
    TooFew {
        /// The level asked for.
        level: Level,
        /// The guarantee asked for.
        guarantee: Guarantee,
        /// Calibration inputs there are.
        have: usize,
        /// The smallest number that would do.
        need: usize,
    },
}

impl Coded for CalibrationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::DatasetInvalid,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::TooFew { .. } => ErrorCode::CalibrationTooSmall,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::TooFew { level, have, need, .. } => vec![
                ("level", level.to_string()),
                ("calibrationInputs", have.to_string()),
                ("calibrationInputsNeeded", need.to_string()),
            ],
            Self::Empty | Self::NotFinite { .. } => Vec::new(),
        }
    }
}

/// A bound on scores: an input is rejected when its score lies strictly below.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Threshold(f64);

impl Threshold {
    /// The threshold with this value, unless it is NaN.
    pub fn new(value: f64) -> Option<Self> {
        if value.is_nan() { None } else { Some(Self(value)) }
    }

    /// For what is known to be a number.
    pub(crate) const fn of_number(value: f64) -> Self {
        Self(value)
    }

    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether an input with this score is rejected. A score equal to the threshold is not: ties count
    /// against rejection.
    pub fn rejects(self, score: f64) -> bool {
        score < self.0
    }
}
