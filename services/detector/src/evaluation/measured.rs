//! Every detector's exact score for every image of a data set.

use std::sync::Arc;

use gifthorse_defence::Subject;
use gifthorse_defence::digest::ContentDigest;
use gifthorse_defence::region::Region;
use ndarray::{Array3, Axis};

use crate::calibration::{Loaded, Part};
use crate::decision::{Decision, other_class};
use crate::error::DetectorError;
use crate::images::Images;
use crate::job::{Meter, in_parallel};
use crate::network::Run;

/// The images of one data set that were measured.
#[derive(Debug)]
pub(super) struct MeasuredSet {
    pub(super) dataset: String,
    /// In the order of the data set, without those that had a part in the calibration.
    pub(super) images: Vec<MeasuredImage>,
    /// Images left out for that reason.
    pub(super) left_out: usize,
}

/// What was read off one image.
#[derive(Debug, Clone)]
pub(super) struct MeasuredImage {
    /// Which image of the data set.
    pub(super) row: usize,
    /// Its known class.
    pub(super) label: usize,
    /// The class of the network that is watched.
    pub(super) prediction: usize,
    /// The class that is answered where nothing is rejected: of a guarded pair, the repaired network's.
    pub(super) answer: usize,
    /// Exact scores, by calibration and detector.
    scores: Vec<Vec<f64>>,
    /// Whether a network asked beside the watched one sees another class, by calibration and detector.
    other_class: Vec<Vec<bool>>,
    /// Where the evidence lies, from the first detector that can tell.
    pub(super) evidence: Option<Region>,
    /// Verdict and passes with early stopping.
    pub(super) early: (bool, usize),
}

impl MeasuredImage {
    /// The exact score of what decides.
    pub(super) fn score(&self, part: &Part, calibrations: &[Arc<Loaded>]) -> f64 {
        let place = calibrations.iter().position(|one| one.name() == part.calibration.name());
        let scores = &self.scores[place.unwrap_or_default()];
        let own = part.detectors.iter().map(|detector| scores[*detector]);
        match &part.fusion {
            Some(fusion) => fusion.score(own),
            None => own.sum(),
        }
    }

    /// Whether the exact finding of what decides rejects the image.
    pub(super) fn rejected_by(&self, part: &Part, calibrations: &[Arc<Loaded>]) -> bool {
        if !part.by_class {
            return part.threshold.rejects(self.score(part, calibrations));
        }
        let place = calibrations.iter().position(|one| one.name() == part.calibration.name());
        let other = &self.other_class[place.unwrap_or_default()];
        part.detectors.iter().any(|detector| other[*detector])
    }
}

/// What is measured with.
pub(super) struct Measuring<'a> {
    pub(super) run: &'a Run,
    /// The repaired network of a guarded pair.
    pub(super) answering: Option<&'a Run>,
    pub(super) decision: &'a Decision,
    pub(super) calibrations: &'a [Arc<Loaded>],
    pub(super) meter: &'a Meter,
    pub(super) workers: usize,
}

impl Measuring<'_> {
    /// Measures a data set, without the images that the calibrations were made from.
    pub(super) fn set(&self, name: &str, images: &Images) -> Result<MeasuredSet, DetectorError> {
        self.meter.stage("measure", images.len(), "images");
        let measured = in_parallel(self.workers, images.len(), self.meter, |row| {
            let image = images.prepared(row)?;
            let digest = ContentDigest::of_image(image.view()).to_string();
            if self.calibrations.iter().any(|calibration| calibration.used(&digest)) {
                return Ok(None);
            }
            self.image(row, images.labels()[row], &image).map(Some)
        })?;
        let all = measured.len();
        let images: Vec<_> = measured.into_iter().flatten().collect();
        Ok(MeasuredSet { dataset: name.to_owned(), left_out: all - images.len(), images })
    }

    fn image(&self, row: usize, label: usize, image: &Array3<f32>) -> Result<MeasuredImage, DetectorError> {
        let subjects = Subject::of(self.run, image.view().insert_axis(Axis(0)))?;
        let subject = subjects.first().ok_or(DetectorError::Internal("looking at an image"))?;
        let answer = match self.answering {
            None => subject.class(),
            Some(answering) => {
                let subjects = Subject::of(answering, image.view().insert_axis(Axis(0)))?;
                subjects.first().ok_or(DetectorError::Internal("looking at an image"))?.class()
            }
        };
        let mut scores = Vec::with_capacity(self.calibrations.len());
        let mut other_classes = Vec::with_capacity(self.calibrations.len());
        let (mut evidence, mut passes) = (None, 0);
        let shape = self.run.network.space().shape();
        for calibration in self.calibrations {
            let (mut own, mut other) = (Vec::new(), Vec::new());
            for (place, built) in calibration.detectors().iter().enumerate() {
                let reading = built.detector().read(self.run, subject)?;
                let found = reading.evidence.map(|evidence| evidence.on_picture(shape.height, shape.width));
                evidence = evidence.or(found);
                if self.decides(calibration, place) {
                    passes += reading.passes.full + reading.passes.prefix + reading.passes.suffix;
                }
                own.push(reading.score);
                other.push(other_class(&reading, subject.class()));
            }
            scores.push(own);
            other_classes.push(other);
        }
        let mut measured = MeasuredImage {
            row,
            label,
            prediction: subject.class(),
            answer,
            scores,
            other_class: other_classes,
            evidence,
            early: (false, passes),
        };
        measured.early = if self.decision.parts.iter().any(|(part, _)| part.rule.is_some()) {
            let judgement = self.decision.judge(self.run, image, false)?;
            (judgement.trojaned, judgement.passes)
        } else {
            (self.rejected(&measured), passes)
        };
        Ok(measured)
    }

    fn decides(&self, calibration: &Loaded, place: usize) -> bool {
        let mut parts = self.decision.parts.iter().map(|(part, _)| part);
        parts.any(|part| part.calibration.name() == calibration.name() && part.detectors.contains(&place))
    }

    fn rejected(&self, image: &MeasuredImage) -> bool {
        let mut parts = self.decision.parts.iter().map(|(part, _)| part);
        parts.any(|part| image.rejected_by(part, self.calibrations))
    }
}
