//! `gifthorse policy set NAME --detector DETECTOR=CALIBRATION[:WEIGHT]... [--alpha A]`

use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::policy::{self, Failure};

use super::Session;
use super::human::Shown;
use crate::detection::{DetectorShare, Fraction, Positive};
use crate::error::CommandError;
use crate::reference::WholeModel;
use crate::usage::UsageError;

/// The policy.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model
    name: WholeModel,
    /// A detector, the calibration that holds its scores, and its share of the budget (min-p) or the weight
    /// of its score (fused); give it again for further detectors [default: equal shares; the weights of
    /// docs/faces.md]
    #[arg(long = "detector", required = true, value_name = "DETECTOR=CALIBRATION[:WEIGHT]")]
    detectors: Vec<DetectorShare>,
    /// How the detectors are combined [default: fused; min-p for a single detector]
    #[arg(long)]
    combination: Option<Combination>,
    /// The fraction of clean inputs that may be rejected
    #[arg(long, value_name = "FRACTION")]
    alpha: Fraction,
    /// Hold alpha with this confidence for every single calibration instead of on average
    #[arg(long, value_name = "FRACTION")]
    confidence: Option<Fraction>,
    /// When a detector does not answer, give the network's label, marked UNDECIDED
    #[arg(long, conflicts_with = "fail_closed")]
    fail_open: bool,
    /// When a detector does not answer, give no label (the default)
    #[arg(long)]
    fail_closed: bool,
    /// What an Open Inference Protocol client sees of a trojaned row
    #[arg(long, value_name = "ANSWER", default_value = "mass")]
    protocol_answer: ProtocolAnswer,
    /// Check the policy and show it, and change nothing
    #[arg(long)]
    check: bool,
    /// Makes a repeated call harmless
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

/// How detectors are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Combination {
    /// Their scores are added and calibrated once.
    Fused,
    /// Any of them may reject within its share of the budget.
    MinP,
    /// Another class of the repaired network rejects, as in older tools; takes `disagreement` alone, and nothing is
    /// promised.
    AnyDisagreement,
}

/// What an Open Inference Protocol client sees of a trojaned row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolAnswer {
    /// All its mass on index M.
    Mass,
    /// The request is refused.
    Refuse,
}

impl From<ProtocolAnswer> for policy::ProtocolAnswer {
    fn from(answer: ProtocolAnswer) -> Self {
        match answer {
            ProtocolAnswer::Mass => Self::MassOnIndexM,
            ProtocolAnswer::Refuse => Self::RefuseRequest,
        }
    }
}

impl Arguments {
    fn policy(&self) -> Result<v1::Policy, UsageError> {
        let several = self.detectors.len() > 1;
        let default = if several { Combination::Fused } else { Combination::MinP };
        let combination = self.combination.unwrap_or(default);
        let given = self.detectors.iter().filter(|share| share.weight.is_some()).count();
        if given != 0 && given != self.detectors.len() {
            let (flag, of) = ("WEIGHT", "--detector");
            return Err(UsageError::Count { flag, found: given, of, expected: self.detectors.len() });
        }
        let unsaid = match combination {
            // The service knows the weights that go with the detectors' scores.
            Combination::Fused => 0.0,
            Combination::MinP => 1.0 / self.detectors.len() as f64,
            Combination::AnyDisagreement => 1.0,
        };
        let detectors = self.detectors.iter().map(|share| v1::PolicyDetector {
            detector: share.detector.clone(),
            calibration: share.calibration.resource(),
            weight: share.weight.map_or(unsaid, Positive::value),
            ..Default::default()
        });
        Ok(v1::Policy {
            model: self.name.resource(),
            combination: match combination {
                Combination::Fused => policy::Combination::Fused,
                Combination::MinP => policy::Combination::WeightedMinP,
                Combination::AnyDisagreement => policy::Combination::AnyDisagreement,
            }
            .into(),
            alpha: self.alpha.value(),
            confidence: Fraction::or_zero(self.confidence),
            detectors: detectors.collect(),
            failure: if self.fail_open { Failure::FailOpen } else { Failure::FailClosed }.into(),
            protocol_answer: policy::ProtocolAnswer::from(self.protocol_answer).into(),
            ..Default::default()
        })
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let request = v1::SetPolicyRequest {
        policy: Some(arguments.policy()?),
        validate_only: arguments.check,
        request_id: arguments.request_id.unwrap_or_default(),
    };
    let gateway = session.connect().await?;
    let reply = gateway.policies().set_policy(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), Shown::new)
}
