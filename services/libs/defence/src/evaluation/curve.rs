//! The ROC curve and the area under it.

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::conformal::Threshold;

/// Why scores make no curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// One of the sets is empty.
    #[error("a curve needs clean and triggered inputs, there are {clean} and {triggered}")]
    Empty {
        /// Clean inputs.
        clean: usize,
        /// Triggered inputs.
        triggered: usize,
    },
    /// A score is NaN.
    #[error("a score is not a number: a curve needs exact, finite scores")]
    NotANumber,
}

impl Coded for CurveError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty { .. } => ErrorCode::DatasetInvalid,
            Self::NotANumber => ErrorCode::ModelNotFinite,
        }
    }
}

/// What a threshold rejects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// The threshold; infinite for the last point, which rejects everything.
    pub threshold: Threshold,
    /// Clean inputs rejected.
    pub clean_rejected: usize,
    /// Triggered inputs rejected.
    pub triggered_rejected: usize,
}

/// All there is to choose between false rejections and false acceptances, from exact scores.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatingCurve {
    points: Vec<CurvePoint>,
    clean: usize,
    triggered: usize,
}

impl OperatingCurve {
    /// The curve of these scores, one point for every different score and one beyond.
    pub fn of(clean: &[f64], triggered: &[f64]) -> Result<Self, CurveError> {
        if clean.is_empty() || triggered.is_empty() {
            return Err(CurveError::Empty { clean: clean.len(), triggered: triggered.len() });
        }
        let labelled = clean.iter().map(|score| (*score, false));
        let mut scores: Vec<(f64, bool)> =
            labelled.chain(triggered.iter().map(|score| (*score, true))).collect();
        if scores.iter().any(|(score, _)| score.is_nan()) {
            return Err(CurveError::NotANumber);
        }
        scores.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut points = Vec::new();
        let (mut clean_rejected, mut triggered_rejected) = (0, 0);
        // Equal scores stand or fall together, so they make one point. (Zero equals minus zero.)
        for tied in scores.chunk_by(|one, other| one.0 >= other.0) {
            points.push(CurvePoint {
                threshold: Threshold::of_number(tied[0].0),
                clean_rejected,
                triggered_rejected,
            });
            let trojaned = tied.iter().filter(|(_, trojaned)| *trojaned).count();
            triggered_rejected += trojaned;
            clean_rejected += tied.len() - trojaned;
        }
        let threshold = Threshold::of_number(f64::INFINITY);
        points.push(CurvePoint { threshold, clean_rejected, triggered_rejected });
        Ok(Self { points, clean: clean.len(), triggered: triggered.len() })
    }

    /// The points, from rejecting nothing to rejecting everything.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    /// How many clean inputs.
    pub const fn clean(&self) -> usize {
        self.clean
    }

    /// How many triggered inputs.
    pub const fn triggered(&self) -> usize {
        self.triggered
    }

    /// The area under the ROC curve: the chance that a triggered input scores below a clean one, ties
    /// counting half. Counted in whole numbers, so it does not depend on the order of inputs.
    pub fn area(&self) -> f64 {
        let doubled: u128 = self
            .points
            .windows(2)
            .map(|pair| {
                let clean = pair[1].clean_rejected - pair[0].clean_rejected;
                let triggered = pair[0].triggered_rejected + pair[1].triggered_rejected;
                clean as u128 * triggered as u128
            })
            .sum();
        doubled as f64 / (2 * self.clean as u128 * self.triggered as u128) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn separate_scores_have_the_whole_area() {
        let area = |clean: &[f64], triggered: &[f64]| OperatingCurve::of(clean, triggered).unwrap().area();
        assert!((area(&[2.0, 3.0], &[0.0, 1.0]) - 1.0).abs() < 1e-15);
        assert!(area(&[0.0, 1.0], &[2.0]).abs() < 1e-15);
        assert!((area(&[1.0, 1.0], &[1.0]) - 0.5).abs() < 1e-15);
        assert!((area(&[0.0], &[-0.0]) - 0.5).abs() < 1e-15);
        let curve = OperatingCurve::of(&[2.0, 3.0], &[1.0, 2.0]).unwrap();
        let counts: Vec<_> =
            curve.points().iter().map(|point| (point.clean_rejected, point.triggered_rejected)).collect();
        assert_eq!(counts, [(0, 0), (0, 1), (1, 2), (2, 2)]);
        assert_eq!(OperatingCurve::of(&[], &[1.0]), Err(CurveError::Empty { clean: 0, triggered: 1 }));
        assert_eq!(OperatingCurve::of(&[f64::NAN], &[1.0]), Err(CurveError::NotANumber));
    }

    proptest! {
        #[test]
        fn the_area_counts_pairs(
            clean in prop::collection::vec(0_u8..12, 1..40),
            triggered in prop::collection::vec(0_u8..12, 1..40),
        ) {
            let floats = |scores: &[u8]| scores.iter().copied().map(f64::from).collect::<Vec<_>>();
            let curve = OperatingCurve::of(&floats(&clean), &floats(&triggered)).unwrap();
            let pairs = clean.iter().flat_map(|clean| triggered.iter().map(move |other| clean.cmp(other)));
            let won: u32 = pairs.map(|order| match order {
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 0,
            }).sum();
            let due = f64::from(won) / (2 * clean.len() * triggered.len()) as f64;
            prop_assert!((curve.area() - due).abs() < 1e-12);
            for point in curve.points() {
                let rejected = clean.iter().filter(|score| point.threshold.rejects(f64::from(**score))).count();
                prop_assert_eq!(rejected, point.clean_rejected);
            }
        }
    }
}
