//! `EvaluateRequest`, parsed.

use gifthorse_api::name::{DatasetName, Identifier, ModelName, NameError};
use gifthorse_api::v1;
use gifthorse_defence::conformal::Guarantee;
use gifthorse_defence::level::Level;

use crate::error::DetectorError;
use crate::policy::{calibration_name, guarantee, level};

/// A request that makes sense on its own.
#[derive(Debug, Clone)]
pub(crate) struct EvaluationRequest {
    pub(super) model: ModelName,
    pub(super) clean: Identifier,
    pub(super) triggered: Vec<TriggeredSet>,
    /// A calibration instead of the model's policy.
    pub(super) calibration: Option<NamedCalibration>,
    pub(super) overrides: v1::PreprocessingOverride,
    pub(super) illustrations: bool,
}

/// Images that carry a trigger.
#[derive(Debug, Clone)]
pub(super) struct TriggeredSet {
    pub(super) dataset: Identifier,
    pub(super) target: Option<usize>,
}

/// Which score of which calibration decides, within which budget.
#[derive(Debug, Clone)]
pub(super) struct NamedCalibration {
    pub(super) name: Identifier,
    pub(super) detector: String,
    pub(super) level: Level,
    pub(super) guarantee: Guarantee,
}

impl EvaluationRequest {
    /// Parses and checks.
    pub(crate) fn parse(message: v1::EvaluateRequest) -> Result<Self, DetectorError> {
        let dataset = |name: &str| -> Result<Identifier, NameError> {
            name.parse().map(|DatasetName(identifier)| identifier)
        };
        let triggered = message
            .triggered
            .iter()
            .map(|set| {
                let target = set.target.map(|target| {
                    usize::try_from(target).map_err(|_| {
                        DetectorError::field("triggered.target", format!("is {target}: it is a class"))
                    })
                });
                Ok(TriggeredSet { dataset: dataset(&set.dataset)?, target: target.transpose()? })
            })
            .collect::<Result<Vec<_>, DetectorError>>()?;
        let calibration = match message.calibration.as_str() {
            "" if !message.detector.is_empty() || message.alpha != 0.0 || message.confidence != 0.0 => {
                let text = "is missing: detector, alpha and confidence are about a calibration that is named";
                return Err(DetectorError::field("calibration", text));
            }
            "" => None,
            name => Some(NamedCalibration {
                name: calibration_name(name)?,
                detector: message.detector,
                level: level("alpha", message.alpha)?,
                guarantee: guarantee("confidence", message.confidence)?,
            }),
        };
        Ok(Self {
            model: message.model.parse()?,
            clean: dataset(&message.clean_dataset)?,
            triggered,
            calibration,
            overrides: message.preprocessing_override.unwrap_or_default(),
            illustrations: message.illustrations,
        })
    }
}
