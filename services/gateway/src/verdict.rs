//! From a policy and what came of the scan to the verdict on one input.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::status::status_of;
use gifthorse_api::v1;
use gifthorse_api::v1::detector_finding::StopReason;
use gifthorse_api::v1::policy::{Combination, Failure};
use gifthorse_api::v1::verdict::Kind;
use tonic::Status;

use crate::detection::ScanFailure;

/// Name of index M, the class after the network's last.
pub(crate) const BACKDOORED: &str = "backdoored";

/// The verdict on one input, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judgement {
    /// CLEAN, TROJANED or UNDECIDED.
    pub(crate) kind: Kind,
    /// Combined p-value; none when undecided.
    pub(crate) p_value: Option<f64>,
    /// Whether the p-value is only a bound.
    pub(crate) p_value_is_bound: bool,
    /// The class of the network that was scanned; none when undecided.
    pub(crate) suspect_label: Option<i32>,
    /// What every detector found.
    pub(crate) detectors: Vec<v1::DetectorFinding>,
    /// `policies/NAME/versions/VERSION` that decided.
    pub(crate) policy: String,
}

impl Judgement {
    /// Whether the label is index M.
    pub(crate) fn is_trojaned(&self) -> bool {
        self.kind == Kind::Trojaned
    }
}

/// A guarded input without a verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{model} is guarded by {policy} and the detector gave no verdict ({cause}), so there is no label: try \
     again, or see whether the detector service runs"
)]
struct NoVerdict {
    /// The model.
    model: String,
    /// The policy.
    policy: String,
    /// What the detector, or the way to it, said.
    cause: String,
}

impl Coded for NoVerdict {
    fn code(&self) -> ErrorCode {
        ErrorCode::DetectorUnavailable
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (model, policy) = (self.model.clone(), self.policy.clone());
        vec![("service", "detector".to_owned()), ("model", model), ("policy", policy)]
    }
}

/// The verdict that a policy makes of a scan. A scan that failed is no label, or under `FAIL_OPEN` the network's
/// own, marked UNDECIDED. A request that is wrong is refused either way.
pub(crate) fn judged(
    policy: &v1::Policy,
    scanned: Result<v1::ScanResponse, ScanFailure>,
) -> Result<Judgement, Status> {
    let failure = match scanned {
        Ok(answer) => {
            return Ok(Judgement {
                kind: answer.verdict(),
                p_value: Some(answer.p_value),
                p_value_is_bound: answer.p_value_is_bound,
                suspect_label: Some(answer.network_label),
                detectors: answer.detectors,
                // A newer version than the one remembered may have decided.
                policy: if answer.policy.is_empty() { policy.name.clone() } else { answer.policy },
            });
        }
        Err(failure) => failure,
    };
    match (failure, policy.failure()) {
        (ScanFailure::Request(refused), _) => Err(refused),
        (failure, Failure::FailOpen) => Ok(undecided(policy, &failure)),
        (ScanFailure::Mismatch(said) | ScanFailure::Late(said), _) => Err(said),
        (ScanFailure::Unavailable(said), _) => Err(status_of(&NoVerdict {
            model: policy.model.clone(),
            policy: policy.name.clone(),
            cause: said.message().to_owned(),
        })),
    }
}

fn undecided(policy: &v1::Policy, failure: &ScanFailure) -> Judgement {
    let late = matches!(failure, ScanFailure::Late(_));
    let finding = v1::DetectorFinding {
        detector: detector(policy),
        alpha: policy.alpha,
        stop_reason: if late { StopReason::Deadline } else { StopReason::Failed }.into(),
        calibration: policy.detectors.first().map(|first| first.calibration.clone()).unwrap_or_default(),
        fault: failure.status().message().to_owned(),
        ..v1::DetectorFinding::default()
    };
    Judgement {
        kind: Kind::Undecided,
        p_value: None,
        p_value_is_bound: false,
        suspect_label: None,
        detectors: vec![finding],
        policy: policy.name.clone(),
    }
}

/// What to call the detectors of a policy when none of them answered.
fn detector(policy: &v1::Policy) -> String {
    let fuses = matches!(policy.combination(), Combination::Fused | Combination::Unspecified);
    if fuses && policy.detectors.len() != 1 {
        return "fused".to_owned();
    }
    let names: Vec<&str> = policy.detectors.iter().map(|detector| detector.detector.as_str()).collect();
    names.join("+")
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::{code_of, status};

    use super::*;

    fn policy(failure: Failure) -> v1::Policy {
        let detector = |name: &str| v1::PolicyDetector { detector: name.to_owned(), ..Default::default() };
        v1::Policy {
            name: "policies/m/versions/3".to_owned(),
            model: "models/m".to_owned(),
            failure: failure.into(),
            detectors: vec![detector("strip_margin"), detector("region_paste")],
            ..v1::Policy::default()
        }
    }

    #[test]
    fn a_scan_decides_and_says_by_which_policy() {
        let answer = v1::ScanResponse {
            verdict: Kind::Trojaned.into(),
            p_value: 0.004,
            policy: "policies/m/versions/4".to_owned(),
            ..v1::ScanResponse::default()
        };
        let judgement = judged(&policy(Failure::Unspecified), Ok(answer)).unwrap();
        assert!(judgement.is_trojaned());
        assert_eq!((judgement.p_value, judgement.policy.as_str()), (Some(0.004), "policies/m/versions/4"));
    }

    #[test]
    fn without_a_scan_the_policy_decides() {
        let failed = |code| Err(ScanFailure::of(status(code, "said")));
        for (code, expected) in [
            (ErrorCode::ServiceUnavailable, ErrorCode::DetectorUnavailable),
            (ErrorCode::QueueFull, ErrorCode::DetectorUnavailable),
            (ErrorCode::CalibrationMismatch, ErrorCode::CalibrationMismatch),
            (ErrorCode::DeadlineExceeded, ErrorCode::DeadlineExceeded),
            (ErrorCode::TensorShape, ErrorCode::TensorShape),
        ] {
            for closed in [Failure::Unspecified, Failure::FailClosed] {
                let refused = judged(&policy(closed), failed(code)).unwrap_err();
                assert_eq!(code_of(&refused), Some(expected), "{}", refused.message());
                assert!(refused.message().contains("said"), "{}", refused.message());
            }
        }
        for (code, reason) in [
            (ErrorCode::ServiceUnavailable, StopReason::Failed),
            (ErrorCode::CalibrationMismatch, StopReason::Failed),
            (ErrorCode::DeadlineExceeded, StopReason::Deadline),
        ] {
            let judgement = judged(&policy(Failure::FailOpen), failed(code)).unwrap();
            assert_eq!((judgement.kind, judgement.p_value), (Kind::Undecided, None));
            let [finding] = judgement.detectors.as_slice() else { panic!("one finding") };
            assert_eq!((finding.stop_reason(), finding.fault.as_str()), (reason, "said"));
            assert_eq!(finding.detector, "fused");
        }
        let wrong = judged(&policy(Failure::FailOpen), failed(ErrorCode::TensorShape)).unwrap_err();
        assert_eq!(code_of(&wrong), Some(ErrorCode::TensorShape));
    }
}
