//! What people write about detectors on the command line: budgets, weights, blends, and which detector of
//! which calibration a policy takes.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use gifthorse_api::name::NameError;
use gifthorse_api::v1;

use crate::reference::CalibrationReference;

/// The budget of clean inputs that may be rejected when nobody names one.
pub const DEFAULT_ALPHA: &str = "0.01";
/// STRIP as in the paper.
pub const STRIP_ENTROPY: &str = "strip_entropy";
/// The default detector that looks inside the network.
pub const CHANNEL_DROPOUT: &str = "channel_dropout";
/// The detectors whose fused score decides when nobody names any.
pub const FUSED: [&str; 3] = ["strip_margin", "region_paste", CHANNEL_DROPOUT];

/// A number above 0 and below 1: budgets and confidences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction(f64);

impl Fraction {
    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// The number, or the zero by which the API says that none was given.
    pub fn or_zero(fraction: Option<Self>) -> f64 {
        fraction.map_or(0.0, Self::value)
    }
}

/// A finite number above 0: shares of a budget, weights of a score, thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Positive(f64);

impl Positive {
    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

/// How overlays and inputs are blended: `add`, `add-clamp` or `convex:A`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blend {
    kind: v1::blend::Kind,
    alpha: f64,
}

/// Shape of the regions that are pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RegionShape {
    /// Full width, overlapping by half.
    Bands,
    /// Full height, overlapping by half.
    Columns,
    /// Rectangles.
    Blocks,
}

impl fmt::Display for RegionShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bands => "bands",
            Self::Columns => "columns",
            Self::Blocks => "blocks",
        })
    }
}

/// A detector of a policy: `DETECTOR=CALIBRATION` or `DETECTOR=CALIBRATION:WEIGHT`.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorShare {
    /// The detector's name.
    pub detector: String,
    /// Where its scores are.
    pub calibration: CalibrationReference,
    /// Share of the budget, or weight of the score.
    pub weight: Option<Positive>,
}

/// A text that says nothing about detectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectionError {
    /// Not a fraction.
    #[error("{found:?} is not a number above 0 and below 1: 0.01 is 1 %")]
    Fraction {
        /// What was given.
        found: String,
    },
    /// Not a positive number.
    #[error("{found:?} is not a finite number above 0")]
    Positive {
        /// What was given.
        found: String,
    },
    /// Not a blend.
    #[error("{found:?} is not a blend: use add, add-clamp, or convex:A with A above 0 and below 1")]
    Blend {
        /// What was given.
        found: String,
    },
    /// Not a detector with its calibration.
    #[error("{found:?} does not have the form DETECTOR=CALIBRATION[:WEIGHT]")]
    Share {
        /// What was given.
        found: String,
    },
    /// The calibration's name is bad.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Fraction {
    type Err = DetectionError;

    fn from_str(text: &str) -> Result<Self, DetectionError> {
        match text.parse::<f64>() {
            Ok(number) if number > 0.0 && number < 1.0 => Ok(Self(number)),
            _ => Err(DetectionError::Fraction { found: text.to_owned() }),
        }
    }
}

impl FromStr for Positive {
    type Err = DetectionError;

    fn from_str(text: &str) -> Result<Self, DetectionError> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => Ok(Self(number)),
            _ => Err(DetectionError::Positive { found: text.to_owned() }),
        }
    }
}

impl FromStr for Blend {
    type Err = DetectionError;

    fn from_str(text: &str) -> Result<Self, DetectionError> {
        use v1::blend::Kind;
        let wrong = || DetectionError::Blend { found: text.to_owned() };
        match text {
            "add" => Ok(Self { kind: Kind::Add, alpha: 0.0 }),
            "add-clamp" => Ok(Self { kind: Kind::AddClamp, alpha: 0.0 }),
            _ => {
                let share = text.strip_prefix("convex:").ok_or_else(wrong)?;
                let alpha = share.parse::<Fraction>().map_err(|_| wrong())?.value();
                Ok(Self { kind: Kind::Convex, alpha })
            }
        }
    }
}

impl From<Blend> for v1::Blend {
    fn from(blend: Blend) -> Self {
        Self { kind: blend.kind.into(), alpha: blend.alpha }
    }
}

impl FromStr for DetectorShare {
    type Err = DetectionError;

    fn from_str(text: &str) -> Result<Self, DetectionError> {
        let wrong = || DetectionError::Share { found: text.to_owned() };
        let (detector, rest) = text.split_once('=').ok_or_else(wrong)?;
        if detector.is_empty() || rest.is_empty() {
            return Err(wrong());
        }
        let (calibration, weight) = match rest.split_once(':') {
            Some((calibration, weight)) => (calibration, Some(weight.parse()?)),
            None => (rest, None),
        };
        Ok(Self { detector: detector.to_owned(), calibration: calibration.parse()?, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_lie_between_nothing_and_everything() {
        assert!(("0.01".parse::<Fraction>().unwrap().value() - 0.01).abs() < f64::EPSILON);
        for text in ["", "0", "1", "-0.1", "NaN", "1 %", "inf"] {
            assert!(text.parse::<Fraction>().is_err(), "{text:?} must be refused");
        }
        for text in ["", "0", "-1", "NaN", "inf"] {
            assert!(text.parse::<Positive>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn blends_are_read_in_full() {
        let blend: v1::Blend = "convex:0.5".parse::<Blend>().unwrap().into();
        assert_eq!(blend, v1::Blend { kind: v1::blend::Kind::Convex.into(), alpha: 0.5 });
        let blend: v1::Blend = "add-clamp".parse::<Blend>().unwrap().into();
        assert_eq!(blend.kind(), v1::blend::Kind::AddClamp);
        for text in ["", "mix", "convex", "convex:", "convex:1", "convex:x"] {
            assert!(text.parse::<Blend>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn a_share_names_detector_and_calibration() {
        let share: DetectorShare = "strip_margin=calibrations/c-1:0.5".parse().unwrap();
        assert_eq!(
            (share.detector.as_str(), share.calibration.resource().as_str()),
            ("strip_margin", "calibrations/c-1")
        );
        assert!((share.weight.unwrap().value() - 0.5).abs() < f64::EPSILON);
        assert_eq!("a=c".parse::<DetectorShare>().unwrap().weight, None);
        for text in ["", "a", "a=", "=c", "a=c:", "a=c:0", "a=../c"] {
            assert!(text.parse::<DetectorShare>().is_err(), "{text:?} must be refused");
        }
    }
}
