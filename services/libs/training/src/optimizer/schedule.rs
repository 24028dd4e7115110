//! How the learning rate changes with the epochs.

use serde::{Deserialize, Serialize};

use crate::error::TrainingError;

/// The learning rate over time. Time is counted in epochs, and passes from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the same.
    #[default]
    Constant,
    /// Half a cosine from the whole rate down to a share of it, which then stays (Loshchilov & Hutter, ICLR
    /// 2017, without restarts).
    Cosine {
        /// Epochs until the end, positive.
        epochs: f64,
        /// Share of the rate that is left, from 0 to 1.
        left: f64,
    },
    /// Times a factor every so many epochs.
    Step {
        /// Epochs between two changes, positive.
        every: f64,
        /// The factor, positive.
        factor: f64,
    },
}

impl Schedule {
    /// Share of the learning rate after this many epochs.
    pub fn share(self, epochs: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine { epochs: all, left } => {
                let angle = (epochs / all).clamp(0.0, 1.0) * std::f64::consts::PI;
                left + (1.0 - left) * 0.5 * (1.0 + angle.cos())
            }
            Self::Step { every, factor } => factor.powf((epochs / every).floor()),
        }
    }

    /// # Errors
    /// [`TrainingError::Setting`].
    pub(crate) fn check(self) -> Result<(), TrainingError> {
        let positive = |field, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(TrainingError::Setting { field, found: value.to_string(), needed: "positive" })
        };
        match self {
            Self::Constant => Ok(()),
            Self::Cosine { epochs, left } => {
                positive("epochs of the cosine", epochs)?;
                if (0.0..=1.0).contains(&left) {
                    return Ok(());
                }
                let (field, found) = ("share left by the cosine", left.to_string());
                Err(TrainingError::Setting { field, found, needed: "from 0 to 1" })
            }
            Self::Step { every, factor } => {
                positive("epochs between steps", every)?;
                positive("factor of the steps", factor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_as_they_should() {
        let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        close(Schedule::Constant.share(7.0), 1.0);
        let cosine = Schedule::Cosine { epochs: 10.0, left: 0.1 };
        close(cosine.share(0.0), 1.0);
        close(cosine.share(5.0), 0.55);
        close(cosine.share(10.0), 0.1);
        close(cosine.share(12.0), 0.1);
        let step = Schedule::Step { every: 2.0, factor: 0.5 };
        close(step.share(1.99), 1.0);
        close(step.share(2.0), 0.5);
        close(step.share(5.0), 0.25);
        assert!(Schedule::Cosine { epochs: 0.0, left: 0.0 }.check().is_err());
        assert!(Schedule::Step { every: 1.0, factor: f64::NAN }.check().is_err());
    }
}
