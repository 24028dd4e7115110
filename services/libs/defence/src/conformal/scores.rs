//! The scores of clean inputs, and what follows from their ranks.

use crate::conformal::{CalibrationError, Guarantee, Threshold, pac};
use crate::level::Level;

/// The finite scores of m >= 1 clean calibration inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationScores {
    ascending: Vec<f64>,
}

/// A p-value `rank / (m + 1)`, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PValue {
    rank: usize,
    inputs: usize,
}

impl PValue {
    /// `rank` of `inputs` = m + 1.
    pub(crate) const fn new(rank: usize, inputs: usize) -> Self {
        Self { rank, inputs }
    }

    /// 1 + how many calibration inputs score at most as high.
    pub const fn rank(self) -> usize {
        self.rank
    }

    /// m + 1.
    pub const fn inputs(self) -> usize {
        self.inputs
    }

    /// The nearest binary number, in (0, 1].
    pub fn as_f64(self) -> f64 {
        self.rank as f64 / self.inputs as f64
    }

    /// Whether the p-value is at most the level, without rounding.
    pub fn at_most(self, level: Level) -> bool {
        let (numerator, denominator) = level.share().ratio();
        self.rank as u128 * u128::from(denominator) <= self.inputs as u128 * u128::from(numerator)
    }
}

/// A threshold that a calibration supports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConformalThreshold {
    /// The k-th smallest calibration score.
    pub threshold: Threshold,
    /// k.
    pub rank: usize,
    /// m.
    pub calibration: usize,
}

impl CalibrationScores {
    /// Takes scores in any order.
    pub fn new(mut scores: Vec<f64>) -> Result<Self, CalibrationError> {
        if scores.is_empty() {
            return Err(CalibrationError::Empty);
        }
        if let Some((index, value)) = scores.iter().copied().enumerate().find(|(_, score)| !score.is_finite())
        {
            return Err(CalibrationError::NotFinite { index, value });
        }
        scores.sort_by(f64::total_cmp);
        Ok(Self { ascending: scores })
    }

    /// m, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one score")]
    pub fn len(&self) -> usize {
        self.ascending.len()
    }

    /// The scores, ascending.
    pub fn ascending(&self) -> &[f64] {
        &self.ascending
    }

    /// `(1 + #{i: s_i <= score}) / (m + 1)`.
    ///
    /// Never falls when the score rises, so the p-value of a lower bound of a score is a lower bound too.
    pub fn p_value(&self, score: f64) -> PValue {
        PValue::new(1 + self.ascending.partition_point(|other| *other <= score), self.len() + 1)
    }

    /// The threshold for a level, or how many inputs it would take.
    ///
    /// For [`Guarantee::Marginal`] a score lies below the threshold just when its p-value is at most the
    /// level.
    pub fn threshold(
        &self,
        level: Level,
        guarantee: Guarantee,
    ) -> Result<ConformalThreshold, CalibrationError> {
        let have = self.len();
        let rank = match guarantee {
            Guarantee::Marginal => level.rank(have),
            Guarantee::Confident { doubt } => pac::pac_rank(have, level, doubt),
        };
        if rank == 0 {
            let need = match guarantee {
                Guarantee::Marginal => level.calibration_for(1),
                Guarantee::Confident { doubt } => pac::smallest_pac_calibration(level, doubt),
            };
            return Err(CalibrationError::TooFew { level, guarantee, have, need });
        }
        // A level below 1 has a rank of at most m.
        let threshold = Threshold(self.ascending[rank - 1]);
        Ok(ConformalThreshold { threshold, rank, calibration: have })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    #[test]
    fn too_small_a_calibration_is_refused_with_what_would_do() {
        let scores =
            |count: usize| CalibrationScores::new((0..count).map(|score| score as f64).collect()).unwrap();
        let refused = scores(98).threshold(level("0.01"), Guarantee::Marginal).unwrap_err();
        assert!(matches!(refused, CalibrationError::TooFew { have: 98, need: 99, .. }));
        assert!(refused.to_string().contains("needs 99 calibration inputs, there are 98"), "{refused}");
        let taken = scores(99).threshold(level("0.01"), Guarantee::Marginal).unwrap();
        assert_eq!((taken.rank, taken.threshold), (1, Threshold(0.0)));
        let confident = Guarantee::Confident { doubt: level("0.05") };
        let refused = scores(298).threshold(level("0.01"), confident).unwrap_err();
        assert!(matches!(refused, CalibrationError::TooFew { need: 299, .. }));
        assert_eq!(scores(1000).threshold(level("0.01"), confident).unwrap().threshold, Threshold(4.0));
    }

    #[test]
    fn ties_count_against_rejection() {
        let mut scores = vec![0.0; 5];
        scores.extend((1..=94).map(f64::from));
        let scores = CalibrationScores::new(scores).unwrap();
        let threshold = scores.threshold(level("0.01"), Guarantee::Marginal).unwrap().threshold;
        assert!(!threshold.rejects(0.0), "five exact zeros among 99 are no 1 %");
        assert_eq!(scores.p_value(0.0), PValue::new(6, 100));
    }

    #[test]
    fn scores_must_be_finite() {
        assert_eq!(CalibrationScores::new(vec![]), Err(CalibrationError::Empty));
        let refused = CalibrationScores::new(vec![0.0, f64::NAN]).unwrap_err();
        assert!(matches!(refused, CalibrationError::NotFinite { index: 1, .. }));
    }

    proptest! {
        #[test]
        fn threshold_and_p_value_agree(
            scores in prop::collection::vec((-6_i8..6).prop_map(|score| f64::from(score) / 4.0), 1..60),
            score in (-8_i8..8).prop_map(|score| f64::from(score) / 4.0),
            numerator in 1_u64..99,
        ) {
            let level = Level::new(numerator, 100).unwrap();
            let mut turned = scores.clone();
            turned.reverse();
            let (scores, turned) = (CalibrationScores::new(scores).unwrap(), CalibrationScores::new(turned).unwrap());
            prop_assert_eq!(&scores, &turned);
            let by_p_value = scores.p_value(score).at_most(level);
            match scores.threshold(level, Guarantee::Marginal) {
                Ok(taken) => prop_assert_eq!(taken.threshold.rejects(score), by_p_value),
                Err(_) => prop_assert!(!by_p_value),
            }
        }
    }
}
