//! The figures that count, as one object. Fractions are 0..1; what was not measured is null.

use gifthorse_api::v1;
use serde::Serialize;

use crate::error::CommandError;
use crate::output::reply::JsonReply;

/// An evaluation in short: the network alone, the guarded answer, the detectors. The figures of the first
/// triggered set stand at the top, those of all of them in `triggered`, everything in `evaluation`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    clean_accuracy: Option<f64>,
    attack_success_rate: Option<f64>,
    guarded_clean_accuracy: Option<f64>,
    residual_attack_success_rate: Option<f64>,
    false_rejection_rate: Option<f64>,
    false_acceptance_rate: Option<f64>,
    false_acceptance_rate_effective: Option<f64>,
    auroc: Option<f64>,
    threshold: Option<f64>,
    mean_passes_clean: f64,
    mean_passes_triggered: Option<f64>,
    triggered: Vec<TriggeredFigures>,
    evaluation: JsonReply,
}

/// The figures of one triggered set.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct TriggeredFigures {
    dataset: String,
    target: i32,
    images: i64,
    attack_success_rate: Option<f64>,
    residual_attack_success_rate: Option<f64>,
    false_acceptance_rate: Option<f64>,
    false_acceptance_rate_effective: Option<f64>,
    auroc: f64,
    mean_passes_triggered: f64,
}

impl Summary {
    /// The summary of an evaluation.
    pub(super) fn new(evaluation: &v1::Evaluation) -> Result<Self, CommandError> {
        let triggered: Vec<TriggeredFigures> =
            evaluation.triggered.iter().map(TriggeredFigures::new).collect();
        let first = triggered.first();
        let deciding = evaluation.detectors.iter().find(|detector| detector.decides);
        let deciding = deciding.filter(|detector| detector.refusal.is_empty());
        Ok(Self {
            clean_accuracy: estimate(evaluation.clean_accuracy.as_ref()),
            attack_success_rate: first.and_then(|set| set.attack_success_rate),
            guarded_clean_accuracy: estimate(evaluation.guarded_clean_accuracy.as_ref()),
            residual_attack_success_rate: first.and_then(|set| set.residual_attack_success_rate),
            false_rejection_rate: estimate(evaluation.false_rejection_rate.as_ref()),
            false_acceptance_rate: first.and_then(|set| set.false_acceptance_rate),
            false_acceptance_rate_effective: first.and_then(|set| set.false_acceptance_rate_effective),
            auroc: first.map(|set| set.auroc),
            threshold: deciding.map(|detector| detector.threshold),
            mean_passes_clean: evaluation.mean_passes_clean,
            mean_passes_triggered: first.map(|set| set.mean_passes_triggered),
            triggered,
            evaluation: JsonReply::of(evaluation)?,
        })
    }
}

impl TriggeredFigures {
    fn new(set: &v1::TriggeredEvaluation) -> Self {
        Self {
            dataset: set.dataset.clone(),
            target: set.target,
            images: set.images,
            attack_success_rate: estimate(set.attack_success_rate.as_ref()),
            residual_attack_success_rate: estimate(set.residual_attack_success_rate.as_ref()),
            false_acceptance_rate: estimate(set.false_acceptance_rate.as_ref()),
            false_acceptance_rate_effective: estimate(set.false_acceptance_rate_effective.as_ref()),
            auroc: set.auroc,
            mean_passes_triggered: set.mean_passes,
        }
    }
}

/// An estimate that rests on something.
fn estimate(interval: Option<&v1::Interval>) -> Option<f64> {
    interval.filter(|found| found.observations > 0 && found.estimate.is_finite()).map(|found| found.estimate)
}
