//! Early rejection: several looks, each paid for with whole ranks of the level.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::ArrayView2;

use crate::conformal::PValue;
use crate::detector::Verdict;
use crate::level::Level;
use crate::sequential::{Looks, Running, StopReason};

/// Why there can be no early rejection.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EarlyRejectionError {
    /// The calibration holds other looks.
    #[error("{columns} columns of running means and {weights} weights for {looks} looks: one each is due")]
    Shape {
        /// Looks.
        looks: usize,
        /// Columns of running means.
        columns: usize,
        /// Weights.
        weights: usize,
    },
    /// A running mean is no mean of entropies.
    #[error(
        "the running mean of calibration input {row} at look {look} is {value}: it must be finite and not \
         negative"
    )]
    Mean {
        /// Which input.
        row: usize,
        /// Passes at the look.
        look: usize,
        /// What it is.
        value: f64,
    },
    /// The weights leave fewer than two looks, whatever the calibration.
    #[error("early rejection needs two looks with a weight: use all passes with curtailment instead")]
    OneLook,
    /// The level is too small a part of the calibration to be divided.
    #[error(
        "a level of {level} on {have} calibration inputs pays for {spendable} ranks, which leaves fewer \
         than two looks; \
         early rejection needs {need} inputs: use all passes with curtailment instead"
    )]
    TooFew {
        /// The level asked for.
        level: Level,
        /// Calibration inputs there are.
        have: usize,
        /// floor(level x (m + 1)).
        spendable: usize,
        /// The smallest number that would do.
        need: usize,
    },
}

impl Coded for EarlyRejectionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooFew { .. } => ErrorCode::CalibrationTooSmall,
            Self::Shape { .. } | Self::OneLook => ErrorCode::InvalidField,
            Self::Mean { .. } => ErrorCode::ModelNotFinite,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::TooFew { level, have, need, .. } => vec![
                ("level", level.to_string()),
                ("calibrationInputs", have.to_string()),
                ("calibrationInputsNeeded", need.to_string()),
            ],
            Self::Shape { .. } | Self::Mean { .. } | Self::OneLook => Vec::new(),
        }
    }
}

/// How the level is divided among the looks: whole weights, one a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending(Vec<u32>);

impl Spending {
    /// The same for every look; what does not divide goes to later ones, which see more.
    pub fn equal(looks: &Looks) -> Self {
        Self(vec![1; looks.passes().len()])
    }

    /// These weights; a look of weight 0 is left out.
    pub const fn weighted(weights: Vec<u32>) -> Self {
        Self(weights)
    }

    /// The ranks `k_j` of each look, which add up to `ranks` unless all weights are 0.
    fn divided(&self, ranks: usize) -> Vec<usize> {
        let total: u128 = self.0.iter().copied().map(u128::from).sum();
        let (mut weights, mut spent) = (0, 0);
        let divide = |weight: &u32| {
            weights += u128::from(*weight);
            let due = (ranks as u128 * weights).checked_div(total).unwrap_or(0) as usize;
            let part = due - spent;
            spent = due;
            part
        };
        self.0.iter().map(divide).collect()
    }
}

/// The boundary of one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boundary {
    /// Passes at the look.
    pub look: usize,
    /// `k_j`, at least 1.
    pub ranks: usize,
    /// `b_j`: reject when the mean lies strictly below.
    pub bound: f64,
}

/// What is known of a p-value after an early stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PValueBound {
    /// Rejected: at most this.
    AtMost(PValue),
    /// Accepted: at least this.
    AtLeast(PValue),
}

/// Two or more looks with boundaries.
///
/// Each boundary is the `k_j`-th smallest running mean among the calibration inputs not rejected at an
/// earlier look. A clean input exchangeable with them is rejected at look j with a probability of at most
/// `k_j / (m + 1)`,
/// so with at most the level in all.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyRejection {
    boundaries: Vec<Boundary>,
    passes: usize,
    calibration: usize,
}

impl EarlyRejection {
    /// Fits boundaries to the running means `[m, looks]` of m calibration inputs, taken over the same
    /// overlays in the same order as those of the inputs to come.
    pub fn fit(
        looks: &Looks,
        running_means: ArrayView2<'_, f64>,
        level: Level,
        spending: &Spending,
    ) -> Result<Self, EarlyRejectionError> {
        let (calibration, columns) = running_means.dim();
        if columns != looks.passes().len() || spending.0.len() != columns {
            let (looks, weights) = (looks.passes().len(), spending.0.len());
            return Err(EarlyRejectionError::Shape { looks, columns, weights });
        }
        for ((row, column), value) in running_means.indexed_iter() {
            if !value.is_finite() || *value < 0.0 {
                let look = looks.passes()[column];
                return Err(EarlyRejectionError::Mean { row, look, value: *value });
            }
        }
        let ranks = affordable(calibration, level, spending)?;
        let mut survivors: Vec<usize> = (0..calibration).collect();
        let mut boundaries = Vec::new();
        for (column, (look, ranks)) in looks.passes().iter().zip(ranks).enumerate() {
            if ranks == 0 {
                continue;
            }
            let mut means: Vec<f64> = survivors.iter().map(|row| running_means[[*row, column]]).collect();
            // Each look rejects fewer than its ranks, and all ranks are at most m: so many survive.
            let (_, bound, _) = means.select_nth_unstable_by(ranks - 1, f64::total_cmp);
            let bound = *bound;
            survivors.retain(|row| running_means[[*row, column]] >= bound);
            boundaries.push(Boundary { look: *look, ranks, bound });
        }
        Ok(Self { boundaries, passes: looks.total(), calibration })
    }

    /// The looks that are left and their boundaries, rising in passes.
    pub fn boundaries(&self) -> &[Boundary] {
        &self.boundaries
    }

    /// N, the passes that the rule was fitted for.
    pub const fn passes(&self) -> usize {
        self.passes
    }

    /// What the end of a scan under this rule says about the p-value; none for ends of other rules.
    pub fn p_value(&self, reason: StopReason) -> Option<PValueBound> {
        let inputs = self.calibration + 1;
        let spent = |until: usize| -> usize {
            self.boundaries
                .iter()
                .filter(|boundary| boundary.look <= until)
                .map(|boundary| boundary.ranks)
                .sum()
        };
        match reason {
            StopReason::RejectedAtLook { look } => {
                Some(PValueBound::AtMost(PValue::new(spent(look), inputs)))
            }
            StopReason::AcceptedAtLook { .. } => {
                Some(PValueBound::AtLeast(PValue::new(spent(self.passes) + 1, inputs)))
            }
            StopReason::AllPasses | StopReason::DecidedClean => None,
        }
    }

    pub(super) fn look_after(&self, taken: usize) -> Option<usize> {
        self.boundaries.iter().map(|boundary| boundary.look).find(|look| *look > taken)
    }

    /// Passes until no boundary ahead can be undercut, should the terms to come be like those so far on average.
    pub(super) fn likely_left(&self, running: &Running) -> usize {
        let ahead = self.boundaries.iter().filter(|boundary| boundary.look > running.taken());
        let left = ahead.map(|boundary| running.likely_until(boundary.bound * boundary.look as f64));
        left.max().unwrap_or(0)
    }

    /// Verdict and reason, if the scan ends after the passes made.
    pub(super) fn check(&self, running: Running) -> Option<(Verdict, StopReason)> {
        let look = running.taken();
        let here = self.boundaries.iter().find(|boundary| boundary.look == look);
        if here.is_some_and(|boundary| running.mean() < boundary.bound) {
            return Some((Verdict::Trojaned, StopReason::RejectedAtLook { look }));
        }
        let mut ahead = self.boundaries.iter().filter(|boundary| boundary.look > look);
        let safe = ahead.all(|boundary| running.mean_over(boundary.look) >= boundary.bound);
        safe.then_some((Verdict::Clean, StopReason::AcceptedAtLook { look }))
    }
}

/// The ranks of each look, if at least two have some.
fn affordable(
    calibration: usize,
    level: Level,
    spending: &Spending,
) -> Result<Vec<usize>, EarlyRejectionError> {
    let weighted: Vec<u32> = spending.0.iter().copied().filter(|weight| *weight > 0).collect();
    let [earlier @ .., last] = weighted.as_slice() else { return Err(EarlyRejectionError::OneLook) };
    let earlier: u128 = earlier.iter().copied().map(u128::from).sum();
    if earlier == 0 {
        return Err(EarlyRejectionError::OneLook);
    }
    // Two looks are left just when the looks before the last one get a rank together: the last always gets
    // one.
    let smallest = (earlier + u128::from(*last)).div_ceil(earlier) as usize;
    let spendable = level.rank(calibration);
    if spendable < smallest {
        let need = level.calibration_for(smallest);
        return Err(EarlyRejectionError::TooFew { level, have: calibration, spendable, need });
    }
    Ok(spending.divided(spendable))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    #[test]
    fn boundaries_come_from_survivors() {
        let looks = Looks::new(vec![1, 2]).unwrap();
        // Ten inputs: two are low at the first look, of whom the lower also is lowest at the second.
        let means = array![
            [0.1, 0.1],
            [0.2, 0.2],
            [1.0, 0.3],
            [1.0, 0.4],
            [1.0, 0.5],
            [1.0, 1.0],
            [1.0, 1.0],
            [1.0, 1.0],
            [1.0, 1.0],
            [1.0, 1.0],
        ];
        let rule = EarlyRejection::fit(&looks, means.view(), level("0.4"), &Spending::equal(&looks)).unwrap();
        let found: Vec<_> =
            rule.boundaries().iter().map(|found| (found.look, found.ranks, found.bound)).collect();
        assert_eq!(found, [(1, 2, 0.2), (2, 2, 0.3)], "the first input is gone at the second look");
    }

    #[test]
    fn ranks_are_whole_and_unpaid_looks_are_dropped() {
        let looks = Looks::doubling(100).unwrap();
        let equal = Spending::equal(&looks);
        assert_eq!(equal.divided(10), [2, 2, 2, 2, 2]);
        assert_eq!(equal.divided(2), [0, 0, 1, 0, 1]);
        assert_eq!(Spending::weighted(vec![1, 0, 0, 0, 3]).divided(4), [1, 0, 0, 0, 3]);
        let means = Array2::from_shape_fn((199, 5), |(row, column)| row as f64 + column as f64);
        let rule = EarlyRejection::fit(&looks, means.view(), level("0.01"), &equal).unwrap();
        assert_eq!(rule.boundaries().iter().map(|boundary| boundary.look).collect::<Vec<_>>(), [16, 100]);
    }

    #[test]
    fn too_few_inputs_are_refused_with_what_would_do() {
        let looks = Looks::doubling(100).unwrap();
        let means = Array2::<f64>::ones((99, 5));
        let refused = EarlyRejection::fit(&looks, means.view(), level("0.01"), &Spending::equal(&looks));
        let due = EarlyRejectionError::TooFew { level: level("0.01"), have: 99, spendable: 1, need: 199 };
        assert_eq!(refused, Err(due));
        let lone = Spending::weighted(vec![0, 0, 0, 0, 1]);
        let refused = EarlyRejection::fit(&looks, means.view(), level("0.01"), &lone);
        assert_eq!(refused, Err(EarlyRejectionError::OneLook));
        let steep = Spending::weighted(vec![1, 0, 0, 0, 99]);
        let refused = EarlyRejection::fit(&looks, means.view(), level("0.01"), &steep);
        assert!(matches!(refused, Err(EarlyRejectionError::TooFew { need: 9999, .. })), "{refused:?}");
        let mut broken = means.clone();
        broken[[3, 1]] = -1.0;
        let refused = EarlyRejection::fit(&looks, broken.view(), level("0.01"), &Spending::equal(&looks));
        assert_eq!(refused, Err(EarlyRejectionError::Mean { row: 3, look: 8, value: -1.0 }));
    }

    #[test]
    fn ends_bound_the_p_value() {
        let looks = Looks::new(vec![1, 2]).unwrap();
        let means = Array2::from_shape_fn((99, 2), |(row, _)| row as f64);
        let rule =
            EarlyRejection::fit(&looks, means.view(), level("0.05"), &Spending::equal(&looks)).unwrap();
        let at = |reason| rule.p_value(reason).unwrap();
        assert_eq!(at(StopReason::RejectedAtLook { look: 1 }), PValueBound::AtMost(PValue::new(2, 100)));
        assert_eq!(at(StopReason::RejectedAtLook { look: 2 }), PValueBound::AtMost(PValue::new(5, 100)));
        assert_eq!(at(StopReason::AcceptedAtLook { look: 1 }), PValueBound::AtLeast(PValue::new(6, 100)));
        assert_eq!(rule.p_value(StopReason::AllPasses), None);
    }
}
