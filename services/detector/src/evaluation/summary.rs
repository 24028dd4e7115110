//! From scores to rates with intervals.

use std::collections::BTreeMap;
use std::sync::Arc;

use gifthorse_api::v1;
use gifthorse_defence::conformal::{Guarantee, Threshold};
use gifthorse_defence::evaluation::{OperatingCurve, Proportion};
use gifthorse_defence::level::Level;

use super::measured::{MeasuredImage, MeasuredSet};
use crate::calibration::{Loaded, Part};
use crate::decision::Decision;
use crate::error::DetectorError;

/// What an evaluation is counted from.
pub(super) struct Summary<'a> {
    pub(super) decision: &'a Decision,
    /// `models/NAME/versions/VERSION` that answers for a guarded pair.
    pub(super) answering: Option<&'a str>,
    pub(super) calibrations: &'a [Arc<Loaded>],
    pub(super) clean: &'a MeasuredSet,
    pub(super) triggered: &'a [MeasuredSet],
    /// The attackers' classes, where they are known.
    pub(super) targets: &'a [Option<usize>],
}

impl Summary<'_> {
    /// Counts everything but times and pictures.
    pub(super) fn evaluation(&self) -> Result<v1::Evaluation, DetectorError> {
        let clean = &self.clean.images;
        let right = |image: &MeasuredImage| image.prediction == image.label;
        let answered = |image: &MeasuredImage| image.answer == image.label;
        let rejected = |image: &MeasuredImage| self.rejected(image);
        let triggered = self
            .triggered
            .iter()
            .zip(self.targets)
            .map(|(set, target)| self.triggered(set, *target))
            .collect::<Result<Vec<_>, _>>()?;
        let level = self.level();
        Ok(v1::Evaluation {
            model_version: self.decision.network.resource_name(),
            policy: self.decision.policy.clone(),
            calibrations: self
                .calibrations
                .iter()
                .map(|one| format!("calibrations/{}", one.name()))
                .collect(),
            clean_accuracy: Some(interval(clean, right)?),
            guarded_clean_accuracy: Some(interval(clean, |image| answered(image) && !rejected(image))?),
            false_rejection_rate: Some(interval(clean, rejected)?),
            triggered,
            mean_passes_clean: mean_passes(clean),
            detectors: self.detectors()?,
            alpha: level,
            clean_dataset: self.clean.dataset.clone(),
            clean_images: clean.len() as i64,
            class_count: self.decision.network.classes() as i32,
            clean_passes: passes(clean),
            notes: self.notes(),
            ..v1::Evaluation::default()
        })
    }

    /// The whole budget: the levels of the parts are shares of it.
    fn level(&self) -> f64 {
        self.decision.parts.iter().map(|(part, _)| part.level.as_f64()).sum()
    }

    fn rejected(&self, image: &MeasuredImage) -> bool {
        let mut parts = self.decision.parts.iter().map(|(part, _)| part);
        parts.any(|part| image.rejected_by(part, self.calibrations))
    }

    /// What orders images from trojaned to clean: the score of the only part, or the combined p-value.
    fn ordering(&self, image: &MeasuredImage) -> f64 {
        if let [(part, _)] = self.decision.parts.as_slice() {
            return image.score(part, self.calibrations);
        }
        let weighted = self.decision.parts.iter().map(|(part, share)| {
            part.scores.p_value(image.score(part, self.calibrations)).as_f64() / share.as_f64()
        });
        weighted.fold(f64::INFINITY, f64::min)
    }

    fn triggered(
        &self,
        set: &MeasuredSet,
        target: Option<usize>,
    ) -> Result<v1::TriggeredEvaluation, DetectorError> {
        let images = &set.images;
        if images.is_empty() {
            return Err(DetectorError::CleanData {
                dataset: set.dataset.trim_start_matches("datasets/").to_owned(),
                fault: "has no triggered images that the calibration was not made from".to_owned(),
            });
        }
        let target = target.unwrap_or_else(|| attacked_class(images));
        let hit = |image: &MeasuredImage| image.prediction == target;
        let accepted = |image: &MeasuredImage| !self.rejected(image);
        let effective: Vec<MeasuredImage> = images.iter().filter(|image| hit(image)).cloned().collect();
        let clean: Vec<f64> = self.clean.images.iter().map(|image| self.ordering(image)).collect();
        let scores: Vec<f64> = images.iter().map(|image| self.ordering(image)).collect();
        Ok(v1::TriggeredEvaluation {
            dataset: set.dataset.clone(),
            target: target as i32,
            attack_success_rate: Some(interval(images, hit)?),
            residual_attack_success_rate: Some(interval(images, |image| {
                accepted(image) && image.answer == target
            })?),
            false_acceptance_rate: Some(interval(images, accepted)?),
            // None when no trigger worked.
            false_acceptance_rate_effective: interval(&effective, accepted).ok(),
            auroc: OperatingCurve::of(&clean, &scores)?.area(),
            mean_passes: mean_passes(images),
            passes: passes(images),
            images: images.len() as i64,
            effective: images.iter().map(hit).collect(),
            robust_accuracy: Some(interval(images, |image| accepted(image) && image.answer == image.label)?),
        })
    }

    /// What decides first, then every other detector of the calibrations, for comparison.
    fn detectors(&self) -> Result<Vec<v1::DetectorEvaluation>, DetectorError> {
        let mut answers = Vec::new();
        for (part, _) in &self.decision.parts {
            answers.push(self.detector(part, true, None)?);
        }
        for calibration in self.calibrations {
            for specification in &calibration.contents().detectors {
                let name = specification.name();
                let decides = self
                    .decision
                    .parts
                    .iter()
                    .any(|(part, _)| part.name == name && part.calibration.name() == calibration.name());
                if !decides {
                    answers.push(self.other(calibration, name)?);
                }
            }
        }
        Ok(answers)
    }

    /// A detector that does not decide, at the whole budget; or, where the calibration cannot support it, at the
    /// least level that it can, its threshold left out.
    fn other(&self, calibration: &Arc<Loaded>, name: &str) -> Result<v1::DetectorEvaluation, DetectorError> {
        let level = Level::from_shortest_decimal(self.level()).unwrap_or(self.decision.parts[0].0.level);
        match calibration.part(name, level, Guarantee::Marginal) {
            Ok(part) => self.detector(&part, false, None),
            Err(refused) => {
                let inputs = calibration.contents().calibration_images as u64;
                let least = Level::new(1, inputs + 1)?;
                let part = calibration.part(name, least, Guarantee::Marginal)?;
                self.detector(&part, false, Some(refused.to_string()))
            }
        }
    }

    fn detector(
        &self,
        part: &Part,
        decides: bool,
        refusal: Option<String>,
    ) -> Result<v1::DetectorEvaluation, DetectorError> {
        let scores = |images: &[MeasuredImage]| -> Vec<f64> {
            images.iter().map(|image| image.score(part, self.calibrations)).collect()
        };
        let clean = scores(&self.clean.images);
        let threshold: Option<Threshold> = refusal.is_none().then_some(part.threshold);
        let rejected =
            |image: &MeasuredImage| threshold.is_some() && image.rejected_by(part, self.calibrations);
        let mut triggered = Vec::new();
        for (set, target) in self.triggered.iter().zip(self.targets) {
            let target = target.unwrap_or_else(|| attacked_class(&set.images));
            let effective: Vec<MeasuredImage> =
                set.images.iter().filter(|image| image.prediction == target).cloned().collect();
            let accepted = |image: &MeasuredImage| !rejected(image);
            triggered.push(v1::DetectorTriggeredEvaluation {
                dataset: set.dataset.clone(),
                auroc: OperatingCurve::of(&clean, &scores(&set.images))?.area(),
                false_acceptance_rate: threshold.and_then(|_| interval(&set.images, accepted).ok()),
                false_acceptance_rate_effective: threshold.and_then(|_| interval(&effective, accepted).ok()),
            });
        }
        let exact =
            part.detectors.iter().map(|place| part.calibration.detectors()[*place].detector().passes());
        Ok(v1::DetectorEvaluation {
            detector: part.name.clone(),
            threshold: threshold.map(Threshold::value).unwrap_or_default(),
            false_rejection_rate: threshold.and_then(|_| interval(&self.clean.images, rejected).ok()),
            triggered_scores: self
                .triggered
                .iter()
                .map(|set| v1::ScoreList { dataset: set.dataset.clone(), scores: scores(&set.images) })
                .collect(),
            clean_scores: clean,
            triggered,
            decides,
            passes: exact.map(|passes| (passes.full + passes.prefix + passes.suffix) as i32).sum(),
            calibration_scores: part.scores.ascending().to_vec(),
            refusal: refusal.unwrap_or_default(),
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(answering) = self.answering {
            notes.push(format!(
                "guarded answers are those of {answering}, the detectors watch {}",
                self.decision.network.resource_name()
            ));
        }
        for set in std::iter::once(self.clean).chain(self.triggered) {
            if set.left_out > 0 {
                notes.push(format!(
                    "{} images of {} are left out: the calibration was made from them",
                    set.left_out, set.dataset
                ));
            }
            let differ = set.images.iter().filter(|image| image.early.0 != self.rejected(image)).count();
            if differ > 0 {
                let early = set.images.iter().filter(|image| image.early.0).count();
                notes.push(format!(
                    "with early rejection {early} of {} images of {} are rejected",
                    set.images.len(),
                    set.dataset
                ));
            }
        }
        notes
    }
}

/// The class that the network answers most often beside the images' own classes; of equals the lowest.
fn attacked_class(images: &[MeasuredImage]) -> usize {
    let count = |images: &mut dyn Iterator<Item = &MeasuredImage>| {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        images.for_each(|image| *counts.entry(image.prediction).or_default() += 1);
        counts.into_iter().max_by_key(|(class, count)| (*count, std::cmp::Reverse(*class)))
    };
    let wrong = count(&mut images.iter().filter(|image| image.prediction != image.label));
    wrong.or_else(|| count(&mut images.iter())).map(|(class, _)| class).unwrap_or_default()
}

fn interval(
    images: &[MeasuredImage],
    hit: impl Fn(&MeasuredImage) -> bool,
) -> Result<v1::Interval, DetectorError> {
    let doubt = Level::new(1, 20)?;
    let proportion = Proportion::of(images, hit)?;
    let interval = proportion.clopper_pearson(doubt);
    Ok(v1::Interval {
        estimate: proportion.rate(),
        lower: interval.low,
        upper: interval.high,
        confidence: 1.0 - doubt.as_f64(),
        observations: proportion.total() as i64,
    })
}

fn passes(images: &[MeasuredImage]) -> Vec<i32> {
    images.iter().map(|image| image.early.1 as i32).collect()
}

fn mean_passes(images: &[MeasuredImage]) -> f64 {
    images.iter().map(|image| image.early.1 as f64).sum::<f64>() / images.len().max(1) as f64
}
