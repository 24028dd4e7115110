//! Scores first, calibrate once: several detectors' scores brought to one scale and added.
//!
//! Any fixed function of an input keeps the conformal guarantee, so the sum needs one calibration, no larger
//! than a single detector's. The scale comes from a reference part of the clean inputs that serves nothing
//! else: neither as overlay or host nor to calibrate.

use std::sync::Arc;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::ArrayView4;

use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};

/// Why reference scores give no scale.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ScaleError {
    /// There are fewer than two.
    #[error("{count} reference inputs give no scale: about 30 are due, 2 at least")]
    TooFew {
        /// How many there are.
        count: usize,
    },
    /// One is NaN or infinite.
    #[error("reference score {index} is {value}: scores must be finite")]
    NotFinite {
        /// Which score.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// They are all the same.
    #[error(
        "all {count} reference scores are the same: this detector tells nothing apart here, leave it out"
    )]
    NoSpread {
        /// How many there are.
        count: usize,
    },
}

impl Coded for ScaleError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooFew { .. } | Self::NoSpread { .. } => ErrorCode::DatasetInvalid,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
        }
    }
}

/// Mean and standard deviation of one detector's scores on the reference part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceScale {
    mean: f64,
    deviation: f64,
}

impl ReferenceScale {
    /// The scale of these scores; the deviation has their number as divisor.
    pub fn of(scores: &[f64]) -> Result<Self, ScaleError> {
        let count = scores.len();
        if count < 2 {
            return Err(ScaleError::TooFew { count });
        }
        if let Some((index, value)) = scores.iter().copied().enumerate().find(|(_, score)| !score.is_finite())
        {
            return Err(ScaleError::NotFinite { index, value });
        }
        let mean = scores.iter().sum::<f64>() / count as f64;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count as f64;
        // Equal scores can have a variance of rounding errors.
        let spread = scores.iter().any(|score| score.total_cmp(&scores[0]).is_ne());
        spread.then(|| Self::new(mean, variance.sqrt())).flatten().ok_or(ScaleError::NoSpread { count })
    }

    /// The scale that was fitted before, read back from where it was kept: both finite, the deviation
    /// positive.
    pub fn new(mean: f64, deviation: f64) -> Option<Self> {
        (mean.is_finite() && deviation.is_finite() && deviation > 0.0).then_some(Self { mean, deviation })
    }

    /// The mean.
    pub const fn mean(self) -> f64 {
        self.mean
    }

    /// The standard deviation.
    pub const fn deviation(self) -> f64 {
        self.deviation
    }

    /// By how many deviations a score lies above the mean.
    pub fn standardise(self, score: f64) -> f64 {
        (score - self.mean) / self.deviation
    }
}

/// Why detectors cannot be fused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FusionError<E> {
    /// There are none.
    #[error("a fusion needs at least one detector")]
    Empty,
    /// A reference input could not be scored.
    #[error(transparent)]
    Detection(#[from] DetectionError<E>),
    /// A detector's reference scores give no scale.
    #[error("detector {detector} of the fusion: {source}")]
    Scale {
        /// Which, in the order given.
        detector: usize,
        /// Why.
        source: ScaleError,
    },
}

impl<E: Coded> Coded for FusionError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::InvalidField,
            Self::Detection(error) => error.code(),
            Self::Scale { source, .. } => source.code(),
        }
    }
}

/// A detector and the scale of its scores.
pub struct ScaledDetector<C: Classifier + ?Sized> {
    /// The detector.
    pub detector: Arc<dyn Detector<C>>,
    /// Its scale.
    pub scale: ReferenceScale,
}

/// The sum of several detectors' standardised scores; a detector itself.
pub struct FusedDetector<C: Classifier + ?Sized> {
    parts: Vec<ScaledDetector<C>>,
}

/// A fused score and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedReading {
    /// The sum of standardised scores: low = trojaned.
    pub score: f64,
    /// The detectors' own readings, in their order.
    pub parts: Vec<Reading>,
}

impl<C: Classifier + ?Sized> FusedDetector<C> {
    /// Fuses detectors with scales fitted before.
    pub fn new(parts: Vec<ScaledDetector<C>>) -> Result<Self, FusionError<C::Error>> {
        if parts.is_empty() { Err(FusionError::Empty) } else { Ok(Self { parts }) }
    }

    /// Fuses detectors, scaled on reference inputs `[N, ...]`.
    pub fn fit(
        classifier: &C,
        detectors: Vec<Arc<dyn Detector<C>>>,
        reference: ArrayView4<'_, f32>,
    ) -> Result<Self, FusionError<C::Error>> {
        let reference = Subject::of(classifier, reference)?;
        let mut parts = Vec::with_capacity(detectors.len());
        for (index, detector) in detectors.into_iter().enumerate() {
            let scores = reference
                .iter()
                .map(|subject| Ok(detector.read(classifier, subject)?.score))
                .collect::<Result<Vec<_>, DetectionError<C::Error>>>()?;
            let scale = ReferenceScale::of(&scores)
                .map_err(|source| FusionError::Scale { detector: index, source })?;
            parts.push(ScaledDetector { detector, scale });
        }
        Self::new(parts)
    }

    /// The detectors and their scales, in order.
    pub fn parts(&self) -> &[ScaledDetector<C>] {
        &self.parts
    }

    /// Scores one input by every detector, and all together.
    pub fn read_parts(
        &self,
        classifier: &C,
        subject: &Subject,
    ) -> Result<FusedReading, DetectionError<C::Error>> {
        let mut score = 0.0;
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let reading = part.detector.read(classifier, subject)?;
            score += part.scale.standardise(reading.score);
            parts.push(reading);
        }
        Ok(FusedReading { score, parts })
    }
}

impl<C: Classifier + ?Sized> Detector<C> for FusedDetector<C> {
    fn passes(&self) -> Passes {
        self.parts.iter().map(|part| part.detector.passes()).sum()
    }

    /// Evidence and votes are those of the first detector that has some.
    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        let FusedReading { score, parts } = self.read_parts(classifier, subject)?;
        let mut fused = Reading::new(score, parts.iter().map(|part| part.passes).sum());
        for part in parts {
            fused.evidence = fused.evidence.or(part.evidence);
            fused.votes = fused.votes.or(part.votes);
        }
        Ok(fused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_standardise() {
        let scale = ReferenceScale::of(&[1.0, 3.0, 5.0, 7.0]).unwrap();
        assert!((scale.standardise(4.0)).abs() < 1e-15);
        assert!((scale.standardise(4.0 + 5.0_f64.sqrt()) - 1.0).abs() < 1e-15);
        assert_eq!(ReferenceScale::new(scale.mean(), scale.deviation()), Some(scale));
    }

    #[test]
    fn what_has_no_spread_has_no_scale() {
        assert_eq!(ReferenceScale::of(&[0.1; 30]), Err(ScaleError::NoSpread { count: 30 }));
        assert_eq!(ReferenceScale::of(&[1.0]), Err(ScaleError::TooFew { count: 1 }));
        let refused = ReferenceScale::of(&[1.0, f64::INFINITY]).unwrap_err();
        assert!(matches!(refused, ScaleError::NotFinite { index: 1, .. }));
        assert_eq!(ReferenceScale::new(0.0, 0.0), None);
    }
}
