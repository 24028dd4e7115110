//! What the store says of a policy.

use gifthorse_api::name::{Identifier, NameError};
use gifthorse_api::v1;
use gifthorse_defence::level::{Level, Share};
use gifthorse_store::{Entry, LogEntry, RecordLogs};
use serde::{Deserialize, Serialize};

use crate::calibration::{DISAGREEMENT, FUSED, default_weight};
use crate::error::DetectorError;

/// The policies, under `policies/NAME`.
pub(crate) type PolicyLogs = RecordLogs<PolicyEntry>;

/// One version of a model's policy, or its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum PolicyEntry {
    /// The model is guarded so.
    Set(PolicyRecord),
    /// The model is unguarded.
    Cleared,
}

/// How the verdict on a model's inputs is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRecord {
    pub(crate) combination: Combination,
    pub(crate) alpha: Level,
    /// One less the confidence of the PAC rule; none for the marginal rule.
    pub(crate) doubt: Option<Level>,
    pub(crate) detectors: Vec<PolicyMember>,
    pub(crate) fail_open: bool,
    pub(crate) refuse_trojaned: bool,
}

/// One detector of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyMember {
    pub(crate) detector: String,
    pub(crate) calibration: Identifier,
    /// Weight of the score where scores are fused; share of the budget, as it was typed, where not.
    pub(crate) weight: f64,
}

/// How detectors are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Combination {
    Fused,
    WeightedMinP,
    AnyDisagreement,
}

impl Entry for PolicyEntry {
    const COLLECTION: &'static str = "policies";
    const FORMAT: u32 = 1;

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Set(policy) if policy.detectors.is_empty() => Err("it names no detector".to_owned()),
            Self::Set(_) | Self::Cleared => Ok(()),
        }
    }
}

impl PolicyRecord {
    /// The policy of a request.
    pub(crate) fn parse(message: &v1::Policy) -> Result<Self, DetectorError> {
        use v1::policy::{Combination as Asked, Evidence, Failure, ProtocolAnswer};
        let wrong = |field: &'static str, value: i32| {
            DetectorError::field(field, format!("is {value}, which this release does not know"))
        };
        let combination = match Asked::try_from(message.combination) {
            Ok(Asked::Unspecified | Asked::Fused) => Combination::Fused,
            Ok(Asked::WeightedMinP) => Combination::WeightedMinP,
            Ok(Asked::AnyDisagreement) => Combination::AnyDisagreement,
            Err(_) => return Err(wrong("policy.combination", message.combination)),
        };
        let fail_open = match Failure::try_from(message.failure) {
            Ok(Failure::Unspecified | Failure::FailClosed) => false,
            Ok(Failure::FailOpen) => true,
            Err(_) => return Err(wrong("policy.failure", message.failure)),
        };
        let refuse_trojaned = match ProtocolAnswer::try_from(message.protocol_answer) {
            Ok(ProtocolAnswer::Unspecified | ProtocolAnswer::MassOnIndexM) => false,
            Ok(ProtocolAnswer::RefuseRequest) => true,
            Err(_) => return Err(wrong("policy.protocol_answer", message.protocol_answer)),
        };
        match Evidence::try_from(message.evidence) {
            Ok(Evidence::Unspecified | Evidence::None) if !message.require_evidence => {}
            _ => {
                let what = "evidence of alarms is not kept in this release: leave evidence unset";
                return Err(DetectorError::NotBuilt(what.to_owned()));
            }
        }
        if message.drift_sample != 0.0 {
            let what = "drift statistics are not kept in this release: leave drift_sample unset";
            return Err(DetectorError::NotBuilt(what.to_owned()));
        }
        let alpha = super::level("policy.alpha", message.alpha)?;
        let doubt = doubt("policy.confidence", message.confidence)?;
        let detectors =
            message.detectors.iter().map(|one| member(one, combination)).collect::<Result<Vec<_>, _>>()?;
        if detectors.is_empty() {
            return Err(DetectorError::field("policy.detectors", "is empty: name at least one detector"));
        }
        for (index, one) in detectors.iter().enumerate() {
            if detectors[..index].iter().any(|other| other.detector == one.detector) {
                let message = format!("names {} twice: give each detector once", one.detector);
                return Err(DetectorError::field("policy.detectors", message));
            }
        }
        if combination == Combination::AnyDisagreement {
            if !matches!(detectors.as_slice(), [only] if only.detector == DISAGREEMENT) {
                let message = "are not \"disagreement\" alone, which is all that ANY_DISAGREEMENT looks at";
                return Err(DetectorError::field("policy.detectors", message));
            }
            if doubt.is_some() {
                let message = "is given, but ANY_DISAGREEMENT promises nothing: use WEIGHTED_MIN_P";
                return Err(DetectorError::field("policy.confidence", message));
            }
        }
        Ok(Self { combination, alpha, doubt, detectors, fail_open, refuse_trojaned })
    }

    /// As a message of the contract, without what is derived.
    pub(crate) fn message(&self, entry: &LogEntry<PolicyEntry>) -> v1::Policy {
        let create_time = Some(crate::calibration::timestamp(entry.time));
        v1::Policy { create_time, ..self.draft(&entry.name, entry.number) }
    }

    /// As the message of a version that is not stored yet.
    pub(crate) fn draft(&self, name: &Identifier, number: u64) -> v1::Policy {
        use v1::policy::{Combination as Asked, Evidence, Failure, ProtocolAnswer};
        v1::Policy {
            name: version_name(name, number),
            model: format!("models/{name}"),
            combination: match self.combination {
                Combination::Fused => Asked::Fused,
                Combination::WeightedMinP => Asked::WeightedMinP,
                Combination::AnyDisagreement => Asked::AnyDisagreement,
            }
            .into(),
            alpha: self.alpha.as_f64(),
            confidence: self.doubt.map(|doubt| 1.0 - doubt.as_f64()).unwrap_or_default(),
            detectors: self
                .detectors
                .iter()
                .map(|member| v1::PolicyDetector {
                    detector: member.detector.clone(),
                    calibration: format!("calibrations/{}", member.calibration),
                    weight: member.weight,
                    ..Default::default()
                })
                .collect(),
            failure: if self.fail_open { Failure::FailOpen } else { Failure::FailClosed }.into(),
            protocol_answer: if self.refuse_trojaned {
                ProtocolAnswer::RefuseRequest
            } else {
                ProtocolAnswer::MassOnIndexM
            }
            .into(),
            evidence: Evidence::None.into(),
            ..Default::default()
        }
    }
}

/// `policies/NAME/versions/VERSION`.
pub(crate) fn version_name(name: &Identifier, number: u64) -> String {
    format!("policies/{name}/versions/{number}")
}

fn member(message: &v1::PolicyDetector, combination: Combination) -> Result<PolicyMember, DetectorError> {
    let calibration = calibration_name(&message.calibration)?;
    let weight = match (message.weight, combination) {
        (0.0, Combination::Fused) => default_weight(&message.detector),
        (0.0, Combination::WeightedMinP) | (_, Combination::AnyDisagreement) => 1.0,
        (given, _) => given,
    };
    match combination {
        Combination::Fused if !(weight.is_finite() && weight > 0.0) => {
            let message = format!("is {weight}: the weight of a score is a positive number");
            return Err(DetectorError::field("policy.detectors.weight", message));
        }
        Combination::WeightedMinP => {
            Share::from_shortest_decimal(weight)?;
        }
        Combination::Fused | Combination::AnyDisagreement => {}
    }
    if message.detector == FUSED && combination == Combination::Fused {
        let message = "is \"fused\": name the detectors whose scores are fused";
        return Err(DetectorError::field("policy.detectors.detector", message));
    }
    Ok(PolicyMember { detector: message.detector.clone(), calibration, weight })
}

/// The identifier in `calibrations/ID`.
pub(crate) fn calibration_name(name: &str) -> Result<Identifier, DetectorError> {
    let identifier = name.strip_prefix("calibrations/").unwrap_or(name);
    Ok(identifier.parse().map_err(|error: NameError| error)?)
}

/// One less the confidence; none for zero, the marginal rule.
pub(crate) fn doubt(field: &'static str, confidence: f64) -> Result<Option<Level>, DetectorError> {
    if confidence == 0.0 {
        return Ok(None);
    }
    if !(confidence > 0.0 && confidence < 1.0) {
        let message = format!("is {confidence}: use a number between 0 and 1, or 0 for the marginal rule");
        return Err(DetectorError::field(field, message));
    }
    // 1 - 0.95 is not 0.05 in binary: the decimal that was typed counts.
    let (numerator, denominator) = Share::from_shortest_decimal(confidence)?.ratio();
    Ok(Some(Level::new(denominator - numerator, denominator)?))
}
