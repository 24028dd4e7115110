//! How many clean inputs may be rejected.

use crate::detection::{DEFAULT_ALPHA, Fraction};
use crate::reference::CalibrationReference;

/// What a threshold promises.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Promise {
    /// The fraction of clean inputs that may be rejected
    #[arg(long, value_name = "FRACTION", default_value = DEFAULT_ALPHA)]
    pub(super) alpha: Fraction,
    /// Hold alpha with this confidence for every single calibration (PAC rule) instead of on average
    #[arg(long, value_name = "FRACTION")]
    pub(super) confidence: Option<Fraction>,
}

/// The score that decides where a command names a calibration instead of the model's policy.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Decide by this calibration instead of the model's policy
    #[arg(long, value_name = "ID")]
    calibration: Option<CalibrationReference>,
    /// Decide by this detector of the calibration, or by `fused` [default: fused where there is such a score]
    #[arg(long, value_name = "NAME", requires = "calibration")]
    detector: Option<String>,
    /// The fraction of clean inputs that may be rejected [default: 0.01]
    #[arg(long, value_name = "FRACTION", requires = "calibration")]
    alpha: Option<Fraction>,
    /// Hold alpha with this confidence for every single calibration (PAC rule) instead of on average
    #[arg(long, value_name = "FRACTION", requires = "calibration")]
    confidence: Option<Fraction>,
}

impl Named {
    /// `calibrations/ID`; empty for the model's policy.
    pub(super) fn calibration(&self) -> String {
        self.calibration.as_ref().map(CalibrationReference::resource).unwrap_or_default()
    }

    /// The detector; empty for the service's choice.
    pub(super) fn detector(&self) -> String {
        self.detector.clone().unwrap_or_default()
    }

    /// Alpha; zero for the service's default.
    pub(super) fn alpha(&self) -> f64 {
        Fraction::or_zero(self.alpha)
    }

    /// Confidence of the PAC rule; zero for the marginal rule.
    pub(super) fn confidence(&self) -> f64 {
        Fraction::or_zero(self.confidence)
    }
}
