//! From the message to the record: nothing that is not finite or does not fit together comes through.

use gifthorse_api::v1;

use crate::error::ReportError;
use crate::picture::Picture;
use crate::record::{
    DetectorRecord, DetectorTriggeredRecord, Estimate, EvaluationRecord, IllustrationRecord, RegionRecord,
    TriggeredRecord,
};

/// One evaluation.
pub(super) fn evaluation(message: &v1::Evaluation) -> Result<EvaluationRecord, ReportError> {
    let reader = Reader { network: &message.model_version };
    let triggered =
        message.triggered.iter().map(|set| reader.triggered(set)).collect::<Result<Vec<_>, _>>()?;
    let detectors = message
        .detectors
        .iter()
        .map(|detector| reader.detector(detector, &triggered))
        .collect::<Result<_, _>>()?;
    Ok(EvaluationRecord {
        network: message.model_version.clone(),
        policy: message.policy.clone(),
        calibrations: message.calibrations.clone(),
        alpha: positive(message.alpha),
        confidence: positive(message.confidence),
        class_count: count(message.class_count.into()),
        clean_dataset: message.clean_dataset.clone(),
        clean_images: count(message.clean_images),
        clean_accuracy: reader.estimate("clean accuracy", message.clean_accuracy.as_ref())?,
        guarded_clean_accuracy: reader
            .estimate("guarded clean accuracy", message.guarded_clean_accuracy.as_ref())?,
        false_rejection_rate: reader
            .estimate("false rejection rate", message.false_rejection_rate.as_ref())?,
        mean_passes_clean: positive(message.mean_passes_clean),
        clean_passes: passes(&message.clean_passes),
        triggered,
        detectors,
        seconds: positive(message.seconds),
        seconds_per_scan: positive(message.seconds_per_scan),
        notes: message.notes.clone(),
        illustrations: message.illustrations.iter().map(illustration).collect::<Result<_, _>>()?,
    })
}

/// Reads the parts of one evaluation, and names it when one is wrong.
struct Reader<'a> {
    network: &'a str,
}

impl Reader<'_> {
    fn triggered(&self, message: &v1::TriggeredEvaluation) -> Result<TriggeredRecord, ReportError> {
        let estimate = |what: &str, interval: Option<&v1::Interval>| {
            self.estimate(&format!("{what} on {}", message.dataset), interval)
        };
        let measured = message.images > 0;
        Ok(TriggeredRecord {
            dataset: message.dataset.clone(),
            target: message.target.into(),
            images: count(message.images),
            attack_success_rate: estimate("attack success rate", message.attack_success_rate.as_ref())?,
            residual_attack_success_rate: estimate(
                "residual attack success rate",
                message.residual_attack_success_rate.as_ref(),
            )?,
            robust_accuracy: estimate("robust accuracy", message.robust_accuracy.as_ref())?,
            false_acceptance_rate: estimate("false acceptance rate", message.false_acceptance_rate.as_ref())?,
            false_acceptance_rate_effective: estimate(
                "false acceptance rate of effective trojans",
                message.false_acceptance_rate_effective.as_ref(),
            )?,
            auroc: finite(message.auroc).filter(|_| measured),
            mean_passes: positive(message.mean_passes),
            passes: passes(&message.passes),
            effective: message.effective.clone(),
        })
    }

    fn detector(
        &self,
        message: &v1::DetectorEvaluation,
        sets: &[TriggeredRecord],
    ) -> Result<DetectorRecord, ReportError> {
        let name = &message.detector;
        let refused = !message.refusal.is_empty();
        let triggered = message
            .triggered_scores
            .iter()
            .map(|list| self.found(message, list, sets))
            .collect::<Result<_, _>>()?;
        if !refused {
            self.finite(&format!("the threshold of {name}"), message.threshold)?;
        }
        Ok(DetectorRecord {
            detector: name.clone(),
            decides: message.decides,
            threshold: (!refused).then_some(message.threshold),
            refusal: refused.then(|| message.refusal.clone()),
            passes: u32::try_from(message.passes).unwrap_or_default(),
            false_rejection_rate: self.estimate(
                &format!("the false rejection rate of {name}"),
                message.false_rejection_rate.as_ref(),
            )?,
            calibration_scores: self
                .scores(&format!("a calibration score of {name}"), &message.calibration_scores)?,
            clean_scores: self.scores(&format!("a clean score of {name}"), &message.clean_scores)?,
            triggered,
        })
    }

    fn found(
        &self,
        message: &v1::DetectorEvaluation,
        list: &v1::ScoreList,
        sets: &[TriggeredRecord],
    ) -> Result<DetectorTriggeredRecord, ReportError> {
        let place = format!("a score of {} on {}", message.detector, list.dataset);
        let scores = self.scores(&place, &list.scores)?;
        if let Some(set) = sets.iter().find(|set| set.dataset == list.dataset)
            && !set.effective.is_empty()
            && !scores.is_empty()
            && set.effective.len() != scores.len()
        {
            let fault = format!(
                "{} has {} scores of {} and the effect of the trigger on {} images",
                list.dataset,
                scores.len(),
                message.detector,
                set.effective.len()
            );
            return Err(ReportError::Inconsistent { network: self.network.to_owned(), fault });
        }
        let rates = message.triggered.iter().find(|set| set.dataset == list.dataset);
        let place = format!("of {} on {}", message.detector, list.dataset);
        Ok(DetectorTriggeredRecord {
            dataset: list.dataset.clone(),
            auroc: rates.and_then(|rates| finite(rates.auroc)).filter(|_| !scores.is_empty()),
            scores,
            false_acceptance_rate: self.estimate(
                &format!("the false acceptance rate {place}"),
                rates.and_then(|rates| rates.false_acceptance_rate.as_ref()),
            )?,
            false_acceptance_rate_effective: self.estimate(
                &format!("the effective false acceptance rate {place}"),
                rates.and_then(|rates| rates.false_acceptance_rate_effective.as_ref()),
            )?,
        })
    }

    fn estimate(
        &self,
        place: &str,
        interval: Option<&v1::Interval>,
    ) -> Result<Option<Estimate>, ReportError> {
        let Some(interval) = interval.filter(|interval| interval.observations > 0) else {
            return Ok(None);
        };
        for value in [interval.estimate, interval.lower, interval.upper, interval.confidence] {
            self.finite(place, value)?;
        }
        Ok(Some(Estimate {
            estimate: interval.estimate,
            lower: interval.lower,
            upper: interval.upper,
            confidence: interval.confidence,
            observations: count(interval.observations),
        }))
    }

    fn scores(&self, place: &str, scores: &[f64]) -> Result<Vec<f64>, ReportError> {
        for score in scores {
            self.finite(place, *score)?;
        }
        Ok(scores.to_vec())
    }

    fn finite(&self, place: &str, value: f64) -> Result<(), ReportError> {
        if value.is_finite() {
            return Ok(());
        }
        Err(ReportError::NotFinite { network: self.network.to_owned(), place: place.to_owned(), value })
    }
}

fn illustration(message: &v1::Illustration) -> Result<IllustrationRecord, ReportError> {
    let picture = |tensor: Option<&v1::ImageTensor>| {
        tensor.map(|tensor| Picture::of_tensor(tensor)?.to_base64()).transpose()
    };
    let side = |value: i32| u32::try_from(value).unwrap_or_default();
    let region = message.evidence.as_ref().map(|region| RegionRecord {
        top: side(region.top),
        left: side(region.left),
        height: side(region.height),
        width: side(region.width),
    });
    Ok(IllustrationRecord {
        dataset: message.dataset.clone(),
        index: count(message.index),
        triggered: message.triggered,
        image: picture(message.image.as_ref())?,
        overlay: picture(message.overlay.as_ref())?,
        blend: picture(message.blend.as_ref())?,
        evidence: region.filter(|region| region.height > 0 && region.width > 0),
        network_label: message.network_label.into(),
        label: message.label.into(),
        verdict: message.verdict().as_str_name().to_owned(),
        score: finite(message.score),
        p_value: positive(message.p_value),
    })
}

/// A number that may be missing.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A number whose zero means that there is none.
fn positive(value: f64) -> Option<f64> {
    finite(value).filter(|value| *value > 0.0)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn passes(values: &[i32]) -> Vec<u32> {
    values.iter().map(|value| u32::try_from(*value).unwrap_or_default()).collect()
}
