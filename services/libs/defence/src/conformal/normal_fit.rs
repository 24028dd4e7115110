//! The legacy rule: a quantile of a normal law fitted to clean scores.
//!
//! Kept to reproduce published thresholds. It promises nothing for scores that are not normal: at a nominal
//! 1 % its false rejection rate was 0 to 3.1 % over five laws of entropies.

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::conformal::{CalibrationScores, Threshold};
use crate::level::Level;
use crate::special::normal_quantile;

/// No normal law fits the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NormalFitError {
    /// All scores are the same.
    #[error(
        "all {calibration} calibration scores are the same: no normal law fits them, use the conformal rule"
    )]
    NoSpread {
        /// How many scores.
        calibration: usize,
    },
}

impl Coded for NormalFitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSpread { .. } => ErrorCode::DatasetInvalid,
        }
    }
}

/// The normal law of greatest likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalFit {
    mean: f64,
    deviation: f64,
}

impl NormalFit {
    /// Fits calibration scores: their mean, and their deviation with m as divisor.
    pub fn of(scores: &CalibrationScores) -> Result<Self, NormalFitError> {
        let values = scores.ascending();
        let calibration = values.len();
        let mean = values.iter().sum::<f64>() / calibration as f64;
        let variance = values.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / calibration as f64;
        if values.first() == values.last() {
            return Err(NormalFitError::NoSpread { calibration });
        }
        Ok(Self { mean, deviation: variance.sqrt() })
    }

    /// The mean.
    pub const fn mean(self) -> f64 {
        self.mean
    }

    /// The standard deviation.
    pub const fn deviation(self) -> f64 {
        self.deviation
    }

    /// The fitted law's quantile at the nominal rate.
    pub fn threshold(self, nominal: Level) -> Threshold {
        Threshold(self.mean + self.deviation * normal_quantile(nominal.as_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_threshold_comes_out_again() {
        // Clean entropies of the first BadNet, and the seed project's threshold at grid point 22 of
        // linspace(.001, .2, 100).
        let fit = NormalFit { mean: 0.486_078_954_014_777_8, deviation: 0.113_295_129_172_982_79 };
        let nominal = Level::new(99 + 199 * 22, 99_000).unwrap();
        assert!((fit.threshold(nominal).value() - 0.294_263_739_159_041_6).abs() < 1e-9);
    }

    #[test]
    fn moments_are_those_of_the_scores() {
        let fit = NormalFit::of(&CalibrationScores::new(vec![1.0, 3.0, 5.0, 7.0]).unwrap()).unwrap();
        assert!((fit.mean() - 4.0).abs() < 1e-15 && (fit.deviation() - 5.0_f64.sqrt()).abs() < 1e-15);
        let same = CalibrationScores::new(vec![2.0; 7]).unwrap();
        assert_eq!(NormalFit::of(&same), Err(NormalFitError::NoSpread { calibration: 7 }));
    }
}
