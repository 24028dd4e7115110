//! How many channels go: the rule that ends the pruning, decided on held-out clean images alone.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::evaluation::{Proportion, ProportionError};
use crate::level::Share;

/// When to stop pruning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRule {
    /// Before the first step after which the accuracy on held-out clean images has fallen by more than this,
    /// in absolute points of 1. The curve is not monotone: later steps within the limit do not count.
    LargestDrop(Share),
    /// After this many channels.
    ChannelCount(usize),
}

/// Why a rule does not end anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// All channels would go.
    #[error("{wanted} of {channels} channels would be pruned: at least one has to stay")]
    NothingLeft {
        /// Channels to prune.
        wanted: usize,
        /// Channels there are.
        channels: usize,
    },
    /// A curve starts with the untouched network.
    #[error("a curve without points says nothing: score at least the untouched network")]
    NoPoints,
    /// The curve has not been followed as far as the rule asks.
    #[error("the curve ends after {steps} of {wanted} steps: go on with it")]
    Unfinished {
        /// Steps there are.
        steps: usize,
        /// Steps needed.
        wanted: usize,
    },
    /// The counts are none.
    #[error(transparent)]
    Counts(#[from] ProportionError),
}

impl Coded for StopError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NothingLeft { .. } => ErrorCode::InvalidField,
            Self::NoPoints | Self::Unfinished { .. } => ErrorCode::Internal,
            Self::Counts(error) => error.code(),
        }
    }
}

/// Held-out clean images answered correctly after 0, 1, 2, ... pruned channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    points: Vec<Proportion>,
    channels: usize,
}

/// Why the pruning ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The step after is the first beyond the limit.
    NextBeyondLimit(Proportion),
    /// No step is beyond the limit; one channel stays.
    NeverBeyondLimit,
    /// As many as were asked for.
    Count,
}

/// Where the pruning ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Channels pruned, the first so many of the ranking.
    pub channels: usize,
    /// Held-out clean images answered correctly there.
    pub accuracy: Proportion,
    /// Why there.
    pub reason: StopReason,
}

impl Curve {
    /// The curve of a layer of `channels` channels: `correct[k]` of `images` after k pruned channels.
    pub fn new(correct: &[usize], images: usize, channels: usize) -> Result<Self, StopError> {
        let points =
            correct.iter().map(|correct| Proportion::new(*correct, images)).collect::<Result<_, _>>()?;
        Self::of(points, channels)
    }

    fn of(points: Vec<Proportion>, channels: usize) -> Result<Self, StopError> {
        if points.is_empty() { Err(StopError::NoPoints) } else { Ok(Self { points, channels }) }
    }

    /// The points, that of the untouched network first.
    pub fn points(&self) -> &[Proportion] {
        &self.points
    }
}

impl StopRule {
    /// Refuses a rule that leaves nothing of a layer of so many channels.
    pub const fn check(self, channels: usize) -> Result<(), StopError> {
        match self {
            Self::ChannelCount(wanted) if wanted >= channels => {
                Err(StopError::NothingLeft { wanted, channels })
            }
            Self::ChannelCount(_) | Self::LargestDrop(_) => Ok(()),
        }
    }

    /// Applies the rule.
    ///
    /// # Errors
    /// [`StopError::NothingLeft`], and [`StopError::Unfinished`] when the curve is too short to decide.
    pub fn choose(self, curve: &Curve) -> Result<Choice, StopError> {
        self.check(curve.channels)?;
        let last = curve.channels.saturating_sub(1);
        let (channels, reason) = match self {
            Self::ChannelCount(wanted) => (wanted, StopReason::Count),
            Self::LargestDrop(limit) => {
                let beyond = curve.points.iter().position(|point| is_beyond(limit, curve.points[0], *point));
                match beyond {
                    Some(step) if step <= last => {
                        (step.saturating_sub(1), StopReason::NextBeyondLimit(curve.points[step]))
                    }
                    _ => (last, StopReason::NeverBeyondLimit),
                }
            }
        };
        let accuracy = curve.points.get(channels).copied();
        let unfinished = StopError::Unfinished { steps: curve.points.len() - 1, wanted: channels };
        Ok(Choice { channels, accuracy: accuracy.ok_or(unfinished)?, reason })
    }
}

/// Whether the accuracy fell by more than the limit, in whole numbers: 4 of 100 is not more than 0.04.
pub(super) fn is_beyond(limit: Share, before: Proportion, after: Proportion) -> bool {
    let (numerator, denominator) = limit.ratio();
    let fallen = before.count() as i128 - after.count() as i128;
    fallen * i128::from(denominator) > i128::from(numerator) * before.total() as i128
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drop(limit: f64) -> StopRule {
        StopRule::LargestDrop(Share::from_shortest_decimal(limit).unwrap())
    }

    fn curve(correct: &[usize], images: usize) -> Curve {
        Curve::new(correct, images, correct.len()).unwrap()
    }

    #[test]
    fn the_step_before_the_first_one_beyond_is_kept() {
        // 44 and 45 of lab3: the curve climbs again, the first crossing counts.
        let curve = curve(&[148, 148, 147, 142, 143, 139, 20], 149);
        assert_eq!(drop(0.02).choose(&curve).unwrap().channels, 2);
        let choice = drop(0.04).choose(&curve).unwrap();
        assert_eq!((choice.channels, choice.accuracy.count()), (2, 147), "6 of 149 are 4.03 points");
        assert_eq!(choice.reason, StopReason::NextBeyondLimit(Proportion::new(142, 149).unwrap()));
        assert_eq!(drop(0.05).choose(&curve).unwrap().channels, 4);
        let choice = drop(0.99).choose(&curve).unwrap();
        assert_eq!((choice.channels, choice.reason), (6, StopReason::NeverBeyondLimit));
        assert_eq!(StopRule::ChannelCount(3).choose(&curve).unwrap().channels, 3);
    }

    #[test]
    fn limits_are_exact() {
        let curve = curve(&[100, 96, 95], 100);
        // In floating point 1 - 0.96 is more than 0.04.
        assert_eq!(drop(0.04).choose(&curve).unwrap().channels, 1);
        let curve = Curve::new(&[100, 71, 70, 0], 100, 4).unwrap();
        assert_eq!(drop(0.29).choose(&curve).unwrap().channels, 1);
    }

    #[test]
    fn the_first_step_may_be_too_much() {
        let choice = drop(0.1).choose(&curve(&[90, 10, 90], 100)).unwrap();
        assert_eq!((choice.channels, choice.accuracy.count()), (0, 90));
    }

    #[test]
    fn one_channel_stays() {
        let curve = curve(&[9, 9, 9], 9);
        let choice = drop(0.5).choose(&curve).unwrap();
        assert_eq!(choice.channels, 2);
        let refused = StopRule::ChannelCount(3).choose(&curve);
        assert_eq!(refused, Err(StopError::NothingLeft { wanted: 3, channels: 3 }));
    }

    #[test]
    fn short_curves_decide_what_they_can() {
        let curve = Curve::new(&[10, 10, 2], 10, 60).unwrap();
        assert_eq!(drop(0.04).choose(&curve).unwrap().channels, 1);
        let wanted = StopRule::ChannelCount(30).choose(&curve);
        assert_eq!(wanted, Err(StopError::Unfinished { steps: 2, wanted: 30 }));
        let curve = Curve::new(&[10, 10], 10, 60).unwrap();
        assert!(matches!(drop(0.04).choose(&curve), Err(StopError::Unfinished { .. })));
        assert_eq!(Curve::new(&[], 10, 60), Err(StopError::NoPoints));
        assert!(matches!(Curve::new(&[0], 0, 60), Err(StopError::Counts(_))));
    }

    proptest! {
        #[test]
        fn everything_kept_is_within_the_limit(
            correct in prop::collection::vec(0_usize..=200, 1..70),
            thousandths in 1_u64..1000,
        ) {
            let limit = Share::new(thousandths, 1000).unwrap();
            let curve = Curve::new(&correct, 200, correct.len()).unwrap();
            let choice = StopRule::LargestDrop(limit).choose(&curve).unwrap();
            let beyond = |after: usize| (correct[0] as i64 - after as i64) * 5 > thousandths as i64;
            prop_assert!(choice.channels < correct.len());
            prop_assert!(correct[..=choice.channels].iter().all(|after| !beyond(*after)));
            if let Some(next) = correct.get(choice.channels + 1) {
                prop_assert!(beyond(*next));
            }
        }
    }
}
