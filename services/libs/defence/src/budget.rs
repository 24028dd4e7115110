//! Weighted min-p: one level divided among several detectors by explicit shares.
//!
//! An input is rejected when any detector's p-value is at most its share of the level. By the union bound the
//! false rejection rate stays below the level however the detectors depend on each other.

use std::fmt;

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::conformal::PValue;
use crate::detector::Verdict;
use crate::level::{Level, LevelError, Share, greatest_common_divisor};

/// A detector's part in a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What the detector is called in messages.
    pub detector: String,
    /// w, its share of the level.
    pub share: Share,
    /// m, the size of its calibration.
    pub calibration: usize,
}

/// What would make a refused budget possible, for the calibrations there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The lowest level that the shares support; none when they support no level.
    pub level: Option<Level>,
    /// Shares in the order of the claims that would do at the level asked for; none when no shares would.
    pub shares: Option<Vec<Share>>,
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("calibrate with more clean inputs")?;
        if let Some(level) = self.level {
            write!(formatter, ", or raise the level to {level}")?;
        }
        if let Some(shares) = &self.shares {
            let shares: Vec<String> = shares.iter().map(ToString::to_string).collect();
            write!(formatter, ", or divide it by the shares {}", shares.join(", "))?;
        }
        Ok(())
    }
}

/// Why a level cannot be divided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// There are no detectors.
    #[error("a budget needs at least one detector")]
    Empty,
    /// The shares do not add up to the whole.
    #[error("the shares {shares} do not add up to 1")]
    Shares {
        /// The shares, separated by commas.
        shares: String,
    },
    /// A share of the level has too many digits.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// A calibration is too small for its share.
    #[error(
        "detector {detector} needs {need} calibration inputs for the share {share} of {level}, it has \
         {have}: {remedy}"
    )]
    TooFew {
        /// The first detector that lacks inputs.
        detector: String,
        /// Its share.
        share: Share,
        /// The level asked for.
        level: Level,
        /// Calibration inputs it has.
        have: usize,
        /// The smallest number that would do.
        need: usize,
        /// What would do instead.
        remedy: Remedy,
    },
}

impl Coded for BudgetError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Level(error) => error.code(),
            Self::TooFew { .. } => ErrorCode::CalibrationTooSmall,
            Self::Empty | Self::Shares { .. } => ErrorCode::InvalidField,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self::TooFew { detector, level, have, need, remedy, .. } = self else { return Vec::new() };
        let mut facts = vec![
            ("detector", detector.clone()),
            ("level", level.to_string()),
            ("calibrationInputs", have.to_string()),
            ("calibrationInputsNeeded", need.to_string()),
        ];
        facts.extend(remedy.level.map(|level| ("possibleLevel", level.to_string())));
        facts.extend(remedy.shares.as_ref().map(|shares| {
            ("possibleShares", shares.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        }));
        facts
    }
}

/// A level divided among detectors whose calibrations support it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// `w_d x level` of each detector.
    parts: Vec<Level>,
    shares: Vec<Share>,
}

impl Budget {
    /// Divides the level, if the shares add up to 1 and each calibration has at least `1 / (w level) - 1`
    /// inputs.
    pub fn new(level: Level, claims: &[Claim]) -> Result<Self, BudgetError> {
        if claims.is_empty() {
            return Err(BudgetError::Empty);
        }
        if !add_up_to_whole(claims) {
            let shares: Vec<String> = claims.iter().map(|claim| claim.share.to_string()).collect();
            return Err(BudgetError::Shares { shares: shares.join(", ") });
        }
        let parts = claims.iter().map(|claim| level.part(claim.share)).collect::<Result<Vec<_>, _>>()?;
        for (claim, part) in claims.iter().zip(&parts) {
            if part.rank(claim.calibration) == 0 {
                return Err(BudgetError::TooFew {
                    detector: claim.detector.clone(),
                    share: claim.share,
                    level,
                    have: claim.calibration,
                    need: part.calibration_for(1),
                    remedy: remedy(level, claims),
                });
            }
        }
        Ok(Self { parts, shares: claims.iter().map(|claim| claim.share).collect() })
    }

    /// The level of each detector's own test, in the order of the claims.
    pub fn levels(&self) -> &[Level] {
        &self.parts
    }

    /// Which detectors reject, by their p-values in the order of the claims; `None` for those yet to speak.
    pub fn rejecting(&self, p_values: &[Option<PValue>]) -> Vec<usize> {
        let spoken = p_values.iter().zip(&self.parts).enumerate();
        spoken
            .filter(|(_, (p_value, part))| p_value.is_some_and(|p_value| p_value.at_most(**part)))
            .map(|(detector, _)| detector)
            .collect()
    }

    /// The verdict, as soon as there is one: a rejection at once, an acceptance when all have spoken.
    pub fn verdict(&self, p_values: &[Option<PValue>]) -> Option<Verdict> {
        if !self.rejecting(p_values).is_empty() {
            Some(Verdict::Trojaned)
        } else if p_values.len() == self.parts.len() && p_values.iter().all(Option::is_some) {
            Some(Verdict::Clean)
        } else {
            None
        }
    }

    /// The p-value of all detectors together, `min(1, min_d p_d / w_d)`, for display: the verdict is decided
    /// in whole numbers by [`verdict`](Self::verdict).
    pub fn combined_p_value(&self, p_values: &[PValue]) -> f64 {
        let weighted = p_values.iter().zip(&self.shares).map(|(p_value, share)| {
            let (numerator, denominator) = share.ratio();
            p_value.as_f64() * denominator as f64 / numerator as f64
        });
        weighted.fold(1.0, f64::min)
    }
}

fn add_up_to_whole(claims: &[Claim]) -> bool {
    let mut sum: Option<Share> = None;
    for claim in claims {
        let next = match sum {
            None => Some(claim.share),
            Some(sum) => plus(sum, claim.share),
        };
        // Beyond the whole, or too fine to be a sum of what people write.
        let Some(next) = next else { return false };
        sum = Some(next);
    }
    sum == Some(Share::WHOLE)
}

/// The sum, if it is a share and can be held exactly.
fn plus(one: Share, other: Share) -> Option<Share> {
    let ((a, b), (c, d)) = (one.ratio(), other.ratio());
    let wide = |x: u64, y: u64| u128::from(x) * u128::from(y);
    Share::from_wide(wide(a, d).checked_add(wide(c, b))?, wide(b, d))
}

fn remedy(level: Level, claims: &[Claim]) -> Remedy {
    // A claim is met from level 1 / (w (m + 1)) on, or at a given level from share 1 / (level (m + 1)) on.
    let lowest = claims.iter().map(|claim| {
        let (numerator, denominator) = claim.share.ratio();
        let lowest = u128::from(numerator) * (claim.calibration as u128 + 1);
        Share::from_wide(denominator.into(), lowest)
    });
    let lowest = lowest.collect::<Option<Vec<_>>>().and_then(|levels| levels.into_iter().max());
    let lowest = lowest.and_then(|share| Level::try_from(share).ok());
    Remedy { level: lowest, shares: proportional_shares(level, claims) }
}

/// Shares proportional to what the calibrations need, if what they need is no more than the whole.
fn proportional_shares(level: Level, claims: &[Claim]) -> Option<Vec<Share>> {
    // Needs are as 1 / (m + 1): bring these to a common denominator.
    let inputs: Vec<u128> = claims.iter().map(|claim| claim.calibration as u128 + 1).collect();
    let common = inputs.iter().try_fold(1_u128, |common, count| {
        (common / greatest_common_divisor(common, *count)).checked_mul(*count)
    })?;
    let needs: Vec<u128> = inputs.iter().map(|count| common / count).collect();
    let total = needs.iter().try_fold(0_u128, |sum, need| sum.checked_add(*need))?;
    let shares = needs.iter().map(|need| Share::from_wide(*need, total)).collect::<Option<Vec<_>>>()?;
    let met = shares
        .iter()
        .zip(claims)
        .all(|(share, claim)| level.part(*share).is_ok_and(|part| part.rank(claim.calibration) > 0));
    met.then_some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformal::CalibrationScores;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    fn claims(shares: &[(&str, usize)]) -> Vec<Claim> {
        let claim = |(share, calibration): &(&str, usize)| Claim {
            detector: format!("of share {share}"),
            share: share.parse().unwrap(),
            calibration: *calibration,
        };
        shares.iter().map(claim).collect()
    }

    #[test]
    fn calibrations_must_support_their_shares() {
        assert!(Budget::new(level("0.01"), &claims(&[("0.5", 199), ("0.5", 199)])).is_ok());
        assert!(Budget::new(level("0.01"), &claims(&[("1/3", 299), ("1/3", 299), ("1/3", 299)])).is_ok());
        assert!(Budget::new(level("0.05"), &claims(&[("0.5", 99), ("0.5", 99)])).is_ok());
        assert!(Budget::new(level("0.01"), &claims(&[("1", 99)])).is_ok());

        let refused = Budget::new(level("0.01"), &claims(&[("0.5", 99), ("0.5", 99)])).unwrap_err();
        let BudgetError::TooFew { have: 99, need: 199, remedy, .. } = &refused else { panic!("{refused}") };
        assert_eq!(remedy, &Remedy { level: Some(level("0.02")), shares: None });
        assert!(refused.to_string().contains("raise the level to 0.02"), "{refused}");
    }

    #[test]
    fn a_refusal_names_what_would_do() {
        let level = level("0.01");
        let asked = claims(&[("0.5", 149), ("0.5", 599)]);
        let refused = Budget::new(level, &asked).unwrap_err();
        let BudgetError::TooFew { need: 199, remedy, .. } = refused else { panic!("{refused}") };
        let shares = remedy.shares.unwrap();
        assert_eq!(shares, ["0.8".parse::<Share>().unwrap(), "0.2".parse().unwrap()]);
        let offered: Vec<Claim> =
            asked.iter().zip(shares).map(|(claim, share)| Claim { share, ..claim.clone() }).collect();
        assert!(Budget::new(level, &offered).is_ok(), "the offered shares do");
        assert!(Budget::new(remedy.level.unwrap(), &asked).is_ok(), "the offered level does");
    }

    #[test]
    fn shares_add_up_exactly() {
        let tenths = claims(&[("0.1", 9999), ("0.2", 9999), ("0.7", 9999)]);
        assert!(Budget::new(level("0.01"), &tenths).is_ok(), "in binary this sum is not 1");
        let refused = Budget::new(level("0.01"), &tenths[..2]).unwrap_err();
        assert_eq!(refused, BudgetError::Shares { shares: "0.1, 0.2".to_owned() });
        let refused = Budget::new(level("0.01"), &claims(&[("0.9", 9999), ("0.2", 9999)]));
        assert!(matches!(refused, Err(BudgetError::Shares { .. })));
        assert_eq!(Budget::new(level("0.01"), &[]), Err(BudgetError::Empty));
    }

    #[test]
    fn a_rejection_may_come_early_and_an_acceptance_may_not() {
        let budget = Budget::new(level("0.05"), &claims(&[("0.5", 99), ("0.5", 99)])).unwrap();
        let scores = CalibrationScores::new((0..99).map(f64::from).collect()).unwrap();
        let (low, edge, high) = (scores.p_value(-1.0), scores.p_value(0.5), scores.p_value(50.0));
        assert_eq!(budget.verdict(&[Some(low), None]), Some(Verdict::Trojaned));
        assert_eq!(budget.verdict(&[Some(edge), None]), Some(Verdict::Trojaned), "2/100 is at most 2.5 %");
        assert_eq!(budget.verdict(&[Some(high), None]), None);
        assert_eq!(budget.verdict(&[Some(high), Some(high)]), Some(Verdict::Clean));
        assert_eq!(budget.rejecting(&[Some(high), Some(low)]), [1]);
        assert!((budget.combined_p_value(&[high, low]) - 0.02).abs() < 1e-15);
        assert!((budget.combined_p_value(&[high, high]) - 1.0).abs() < 1e-15);
    }
}
