//! False rejections and false acceptances at a threshold.

use crate::conformal::Threshold;
use crate::evaluation::{Proportion, ProportionError};

/// The score of a triggered input, and whether the trigger worked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TriggeredScore {
    /// The score.
    pub score: f64,
    /// Whether the suspect network answers the attacker's class: some triggered inputs lose their trigger.
    pub effective: bool,
}

/// The errors at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRates {
    /// FRR: clean inputs rejected.
    pub false_rejection: Proportion,
    /// FAR: triggered inputs accepted, of all.
    pub false_acceptance: Proportion,
    /// FAR over effective trojans alone; none when no trigger worked.
    pub false_acceptance_effective: Option<Proportion>,
}

impl ErrorRates {
    /// Counts exact scores. Fails when there are no clean or no triggered inputs.
    pub fn at(
        threshold: Threshold,
        clean: &[f64],
        triggered: &[TriggeredScore],
    ) -> Result<Self, ProportionError> {
        let accepted = |input: &TriggeredScore| !threshold.rejects(input.score);
        let effective: Vec<_> = triggered.iter().copied().filter(|input| input.effective).collect();
        Ok(Self {
            false_rejection: Proportion::of(clean, |score| threshold.rejects(*score))?,
            false_acceptance: Proportion::of(triggered, accepted)?,
            false_acceptance_effective: Proportion::of(&effective, accepted).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_that_do_not_work_are_counted_apart() {
        let score = |score, effective| TriggeredScore { score, effective };
        let triggered = [score(0.1, true), score(0.5, true), score(0.9, false), score(1.0, false)];
        let threshold = Threshold::new(0.5).unwrap();
        let rates = ErrorRates::at(threshold, &[0.4, 0.5, 0.6, 0.7, 0.8], &triggered).unwrap();
        assert_eq!(rates.false_rejection, Proportion::new(1, 5).unwrap());
        assert_eq!(rates.false_acceptance, Proportion::new(3, 4).unwrap());
        assert_eq!(rates.false_acceptance_effective, Some(Proportion::new(1, 2).unwrap()));
        let rates = ErrorRates::at(threshold, &[1.0], &triggered[2..]).unwrap();
        assert_eq!(rates.false_acceptance_effective, None);
        assert!(ErrorRates::at(threshold, &[], &triggered).is_err());
    }
}
