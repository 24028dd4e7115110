//! When a scan stops, and what is known then.

use std::num::NonZeroUsize;

use crate::conformal::Threshold;
use crate::detector::Verdict;
use crate::sequential::EarlyRejection;

/// Of the least number of passes between two checks, how many before the first.
const FIRST_CHECK: usize = 4;

/// Passes between two checks of a rule with looks, at least.
const LEAST_STEP: usize = 4;

/// A sum of terms, added one by one in the order of the overlays, so that it is the same to the last bit
/// however many came in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Running {
    sum: f64,
    taken: usize,
}

impl Running {
    /// Adds a term, which must be finite and not negative.
    pub fn push(&mut self, term: f64) {
        self.sum += term;
        self.taken += 1;
    }

    /// Terms so far.
    pub const fn taken(self) -> usize {
        self.taken
    }

    /// The mean of the terms so far; NaN before the first.
    pub fn mean(self) -> f64 {
        self.mean_over(self.taken)
    }

    /// The sum over so many passes: a lower bound of the mean over them, rounding included, because adding
    /// what is not negative and dividing by a constant never turn the order of two numbers.
    pub(super) fn mean_over(self, passes: usize) -> f64 {
        self.sum / passes as f64
    }

    /// Terms until the sum reaches `sum`, should those to come be like those so far on average; zero where it has.
    pub(super) fn likely_until(self, sum: f64) -> usize {
        // A mean of zero makes this infinite, and the conversion the largest count there is.
        (sum / self.mean() - self.taken as f64).ceil() as usize
    }
}

/// Why a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// All passes were made.
    AllPasses,
    /// The sum was so large that the verdict of all passes was decided: clean.
    DecidedClean,
    /// The mean lay below the boundary of a look.
    RejectedAtLook {
        /// Passes at the look.
        look: usize,
    },
    /// No boundary still ahead could be undercut, or none was ahead; at a look or between two.
    AcceptedAtLook {
        /// Passes made.
        look: usize,
    },
}

/// What is known of the score over all passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScoreSoFar {
    /// The score.
    Exact(f64),
    /// A lower bound of it; p-values from it are lower bounds too. Not for histograms, AUROC or drift.
    AtLeast(f64),
}

impl ScoreSoFar {
    /// The number.
    pub const fn value(self) -> f64 {
        match self {
            Self::Exact(value) | Self::AtLeast(value) => value,
        }
    }

    /// Whether it is only a bound.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopped {
    /// The verdict.
    pub verdict: Verdict,
    /// The score over all passes, or a bound of it.
    pub score: ScoreSoFar,
    /// The mean over the passes made.
    pub mean_so_far: f64,
    /// Passes made.
    pub passes_used: usize,
    /// Why it ended.
    pub reason: StopReason,
}

/// The rule by which a scan ends.
#[derive(Debug, Clone, PartialEq)]
pub enum StopRule {
    /// All passes, then the threshold: the exact score.
    Fixed {
        /// The threshold of the score over all passes.
        threshold: Threshold,
    },
    /// Stop as soon as the verdict of all passes is decided: the same verdict for every input.
    Curtailed {
        /// The threshold of the score over all passes.
        threshold: Threshold,
        /// Passes between two checks at least; before the first, four times as many. Part of the rule, so that
        /// passes used do not depend on batches.
        check_every: NonZeroUsize,
    },
    /// Stop at a look that rejects, or when no later one can.
    EarlyRejection(EarlyRejection),
}

impl StopRule {
    /// How many of `total` passes to have made at the next check.
    pub fn next_check(&self, running: &Running, total: usize) -> usize {
        match self {
            Self::Fixed { .. } => total,
            Self::Curtailed { threshold, check_every } => {
                let step = match running.taken() {
                    0 => check_every.get().saturating_mul(FIRST_CHECK),
                    _ => check_every.get().max(likely_left(*threshold, *running, total) / 2),
                };
                total.min(running.taken().saturating_add(step))
            }
            Self::EarlyRejection(rule) => {
                let look = rule.look_after(running.taken()).unwrap_or(total).min(total);
                if running.taken() == 0 {
                    return look;
                }
                // Between looks nothing is rejected, but what has become safe is accepted.
                let step = LEAST_STEP.max(rule.likely_left(running) / 2);
                look.min(running.taken().saturating_add(step))
            }
        }
    }

    /// The end, if this is it. After all `total` passes it always is.
    pub fn check(&self, running: &Running, total: usize) -> Option<Stopped> {
        let complete = running.taken() >= total;
        let (verdict, reason) = match self {
            Self::Fixed { .. } if !complete => return None,
            Self::Fixed { threshold } => (judged(*threshold, running.mean()), StopReason::AllPasses),
            Self::Curtailed { threshold, .. } => {
                let verdict = judged(*threshold, running.mean_over(total));
                match (verdict, complete) {
                    (verdict, true) => (verdict, StopReason::AllPasses),
                    (Verdict::Clean, false) => (Verdict::Clean, StopReason::DecidedClean),
                    (Verdict::Trojaned, false) => return None,
                }
            }
            Self::EarlyRejection(rule) => rule.check(*running)?,
        };
        let bound = running.mean_over(total);
        Some(Stopped {
            verdict,
            score: if complete { ScoreSoFar::Exact(bound) } else { ScoreSoFar::AtLeast(bound) },
            mean_so_far: running.mean(),
            passes_used: running.taken(),
            reason,
        })
    }
}

/// Passes until "clean" is decided, should the terms to come be like those so far on average. Going half of that
/// way at once takes few checks and seldom a pass too many.
fn likely_left(threshold: Threshold, running: Running, total: usize) -> usize {
    running.likely_until(threshold.value() * total as f64)
}

fn judged(threshold: Threshold, score: f64) -> Verdict {
    if threshold.rejects(score) { Verdict::Trojaned } else { Verdict::Clean }
}
