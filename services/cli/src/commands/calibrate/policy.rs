//! The policy that follows a calibration.

use gifthorse_api::v1;
use gifthorse_api::v1::policy::{Combination, Failure};

use super::super::calibration::human::name;
use super::super::promise::Promise;
use crate::detection::{FUSED, Fraction, Positive};
use crate::reference::short;
use crate::usage::UsageError;

/// What the policy shall be.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct NextPolicy {
    #[command(flatten)]
    promise: Promise,
    /// Let each of the named detectors reject within its share of the budget, in the order of --detector,
    /// instead of fusing their scores
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', requires = "detectors")]
    shares: Vec<Positive>,
    /// When a detector does not answer, give the network's label, marked UNDECIDED [default: give none]
    #[arg(long)]
    fail_open: bool,
    /// Check the policy and show it, and leave the one in force as it is
    #[arg(long)]
    policy_only_check: bool,
    /// Leave the policy alone
    #[arg(long, conflicts_with_all = ["policy_only_check", "shares", "fail_open"])]
    no_policy: bool,
}

impl NextPolicy {
    /// What can be seen to be wrong before anything is measured.
    pub(super) fn check(&self, named: &[String]) -> Result<(), UsageError> {
        if self.shares.is_empty() || self.shares.len() == named.len() {
            return Ok(());
        }
        let (flag, of) = ("--shares", "--detector");
        Err(UsageError::Count { flag, found: self.shares.len(), of, expected: named.len() })
    }

    /// The request that puts the policy in force, where one is wanted.
    pub(super) fn request(
        &self,
        model: &str,
        calibration: &v1::Calibration,
        named: &[String],
    ) -> Result<Option<v1::SetPolicyRequest>, UsageError> {
        if self.no_policy {
            return Ok(None);
        }
        let deciding = deciding(calibration, named)?;
        let combination = if deciding.len() == 1 || !self.shares.is_empty() {
            Combination::WeightedMinP
        } else {
            Combination::Fused
        };
        let shares: Vec<f64> = match combination {
            // The service knows the weights that go with the detectors' scores.
            Combination::Fused => vec![0.0; deciding.len()],
            _ if self.shares.is_empty() => vec![1.0],
            _ => self.shares.iter().map(|share| share.value()).collect(),
        };
        let detectors = deciding.into_iter().zip(shares).map(|(detector, weight)| v1::PolicyDetector {
            detector,
            calibration: calibration.name.clone(),
            weight,
            ..Default::default()
        });
        let policy = v1::Policy {
            model: model.to_owned(),
            combination: combination.into(),
            alpha: self.promise.alpha.value(),
            confidence: Fraction::or_zero(self.promise.confidence),
            detectors: detectors.collect(),
            failure: if self.fail_open { Failure::FailOpen } else { Failure::FailClosed }.into(),
            ..Default::default()
        };
        let validate_only = self.policy_only_check;
        Ok(Some(v1::SetPolicyRequest { policy: Some(policy), validate_only, ..Default::default() }))
    }
}

/// The detectors that decide: those that were named, else those of the default policy that the calibration
/// holds, else its only one.
fn deciding(calibration: &v1::Calibration, named: &[String]) -> Result<Vec<String>, UsageError> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let held: Vec<&str> = calibration.detectors.iter().map(name).collect();
    let fused: Vec<String> =
        FUSED.into_iter().filter(|detector| held.contains(detector)).map(str::to_owned).collect();
    match (fused.is_empty(), held.as_slice()) {
        (false, _) => Ok(fused),
        (true, [only]) => Ok(vec![(*only).to_owned()]),
        (true, _) => Err(UsageError::NoDefaultPolicy {
            calibration: short(&calibration.name).to_string(),
            held: if held.is_empty() { "no detectors".to_owned() } else { held.join(", ") },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(detectors: &[&str]) -> v1::Calibration {
        let detectors = detectors.iter().map(|detector| v1::CalibratedDetector {
            settings: Some(v1::DetectorSettings { detector: (*detector).to_owned(), ..Default::default() }),
            ..Default::default()
        });
        let (name, detectors) = ("calibrations/c".to_owned(), detectors.collect());
        v1::Calibration { name, detectors, ..Default::default() }
    }

    fn decided(held: &[&str], named: &[&str]) -> Result<Vec<String>, UsageError> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        deciding(&calibration(held), &named)
    }

    #[test]
    fn the_default_fuses_what_there_is_of_it() {
        let all = ["strip_entropy", "channel_dropout", "strip_margin", "region_paste"];
        assert_eq!(decided(&all, &[]).unwrap(), FUSED);
        assert_eq!(decided(&all[..1], &[]).unwrap(), ["strip_entropy"]);
        assert_eq!(decided(&all, &["strip_entropy"]).unwrap(), ["strip_entropy"]);
        assert!(matches!(decided(&["a", "b"], &[]), Err(UsageError::NoDefaultPolicy { .. })));
    }
}
