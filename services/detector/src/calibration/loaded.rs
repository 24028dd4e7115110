//! A stored calibration in memory: its detectors ready to run, its scores ready to be derived from.

use std::collections::HashSet;
use std::sync::Arc;

use gifthorse_api::name::Identifier;
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::conformal::{CalibrationScores, Guarantee, Threshold};
use gifthorse_defence::fusion::ReferenceScale;
use gifthorse_defence::level::Level;
use gifthorse_defence::sequential::{EarlyRejection, Spending, StopRule};
use ndarray::{Array2, Array4};

use super::record::{CalibrationContents, CalibrationRecord, ScoresFile};
use super::specification::{
    Built, DISAGREEMENT, DetectorSpecification, FUSED, STRIP_ENTROPY, default_weight,
};
use crate::error::DetectorError;
use crate::network::{Repair, Run, Watched};

/// Passes between two checks of a curtailed scan at least: smaller batches cost more than the passes they save.
const CHECK_EVERY: std::num::NonZeroUsize = std::num::NonZeroUsize::new(4).unwrap();

/// A calibration and the network it belongs to.
pub(crate) struct Loaded {
    record: CalibrationRecord,
    pub(crate) network: Arc<Watched>,
    pub(crate) bank: Arc<OverlayBank>,
    scores: ScoresFile,
    detectors: Vec<Built>,
    used: HashSet<String>,
}

/// What decides: one detector, or several of one calibration together.
#[derive(Clone)]
pub(crate) struct Part {
    /// The detector's name, or `fused`.
    pub(crate) name: String,
    pub(crate) calibration: Arc<Loaded>,
    /// Places in the calibration of the detectors whose scores are needed.
    pub(crate) detectors: Vec<usize>,
    /// How their scores are added; none for one detector's own score.
    pub(crate) fusion: Option<Fusion>,
    pub(crate) scores: CalibrationScores,
    pub(crate) threshold: Threshold,
    /// Whether another class of the repaired network rejects, whatever its score; the threshold is then zero.
    pub(crate) by_class: bool,
    /// This part's share of the budget.
    pub(crate) level: Level,
    /// When a scan of STRIP's entropy may stop.
    pub(crate) rule: Option<StopRule>,
}

/// A weighted sum of standardised scores.
#[derive(Debug, Clone)]
pub(crate) struct Fusion {
    scales: Vec<(ReferenceScale, f64)>,
}

impl Fusion {
    /// The fused score of the detectors' own, in their order.
    pub(crate) fn score(&self, scores: impl IntoIterator<Item = f64>) -> f64 {
        self.scales.iter().zip(scores).map(|((scale, weight), score)| weight * scale.standardise(score)).sum()
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Loaded").field("calibration", &self.record.name).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Puts a calibration together with the network of its version. Runs the hosts once.
    pub(super) fn new(
        record: CalibrationRecord,
        network: Arc<Watched>,
        bank: &[u8],
        scores: &[u8],
        repair: Option<&Repair>,
    ) -> Result<Self, DetectorError> {
        let contents = &record.contents;
        let damaged = |fault: String| DetectorError::Damaged { calibration: record.name.to_string(), fault };
        let scores: ScoresFile =
            serde_json::from_slice(scores).map_err(|error| damaged(error.to_string()))?;
        check(contents, &scores).map_err(damaged)?;
        let space = network.space().clone();
        let [first, second, third] = space.shape().axes();
        let levels: Vec<f32> =
            bank.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let overlays = contents.bank_labels.len();
        let images = Array4::from_shape_vec((overlays, first, second, third), levels)
            .map_err(|_| damaged(format!("its bank is not {overlays} images of {first}x{second}x{third}")))?;
        let bank = Arc::new(OverlayBank::new(space, images, contents.bank_labels.clone())?);
        if bank.digest().to_string() != contents.bank_digest {
            return Err(damaged("its bank is another one than its record says".to_owned()));
        }
        let run = Run { network: Arc::clone(&network), patience: crate::network::Patience::default() };
        let detectors = contents
            .detectors
            .iter()
            .map(|specification| specification.build(&run, &bank, &contents.hosts, repair))
            .collect::<Result<Vec<_>, _>>()?;
        let used = scores.image_digests.iter().cloned().collect();
        Ok(Self { record, network, bank, scores, detectors, used })
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &Identifier {
        &self.record.name
    }

    /// What the store says of it.
    pub(crate) const fn contents(&self) -> &CalibrationContents {
        &self.record.contents
    }

    /// The detectors, in the order of the specifications.
    pub(crate) fn detectors(&self) -> &[Built] {
        &self.detectors
    }

    /// Whether an image with this digest, as prepared, had a part in the calibration.
    pub(crate) fn used(&self, digest: &str) -> bool {
        self.used.contains(digest)
    }

    /// What decides by one detector, or by the fused score of several with these weights; `name` is `fused`
    /// for all that the calibration holds but STRIP's entropy.
    pub(crate) fn part(
        self: &Arc<Self>,
        name: &str,
        level: Level,
        guarantee: Guarantee,
    ) -> Result<Part, DetectorError> {
        if name != FUSED {
            let place = self.place(name)?;
            return self.single(place, level, guarantee);
        }
        self.fused(&self.fusible(), level, guarantee)
    }

    /// The detectors that are fused unless told otherwise.
    pub(crate) fn fusible(&self) -> Vec<(&'static str, f64)> {
        let fusing = self.contents().detectors.iter().filter(|one| one.fuses());
        fusing.map(|one| (one.name(), default_weight(one.name()))).collect()
    }

    /// What decides by classes alone: an input is rejected whenever suspect and repaired network part.
    pub(crate) fn any_disagreement(self: &Arc<Self>, level: Level) -> Result<Part, DetectorError> {
        let place = self.place(DISAGREEMENT)?;
        let scores = self
            .derive(DISAGREEMENT, CalibrationScores::new(self.scores.detectors[place].calibration.clone()))?;
        let threshold = Threshold::new(0.0).ok_or(DetectorError::Internal("deciding by classes"))?;
        Ok(Part {
            name: DISAGREEMENT.to_owned(),
            calibration: Arc::clone(self),
            detectors: vec![place],
            fusion: None,
            scores,
            threshold,
            by_class: true,
            level,
            rule: None,
        })
    }

    /// What decides by the weighted sum of these detectors' standardised scores.
    pub(crate) fn fused(
        self: &Arc<Self>,
        weights: &[(&str, f64)],
        level: Level,
        guarantee: Guarantee,
    ) -> Result<Part, DetectorError> {
        let mut scales = Vec::new();
        let mut detectors = Vec::new();
        for (name, weight) in weights {
            let place = self.place(name)?;
            let scale = ReferenceScale::of(&self.scores.detectors[place].reference)
                .map_err(|source| DetectorError::Scale { detector: (*name).to_owned(), source })?;
            scales.push((scale, *weight));
            detectors.push(place);
        }
        let fusion = Fusion { scales };
        let sums = (0..self.contents().calibration_images)
            .map(|row| {
                fusion.score(detectors.iter().map(|place| self.scores.detectors[*place].calibration[row]))
            })
            .collect();
        let scores = self.derive(FUSED, CalibrationScores::new(sums))?;
        let threshold = self.derive(FUSED, scores.threshold(level, guarantee))?.threshold;
        Ok(Part {
            name: FUSED.to_owned(),
            calibration: Arc::clone(self),
            detectors,
            fusion: Some(fusion),
            scores,
            threshold,
            by_class: false,
            level,
            rule: None,
        })
    }

    fn single(
        self: &Arc<Self>,
        place: usize,
        level: Level,
        guarantee: Guarantee,
    ) -> Result<Part, DetectorError> {
        let name = self.contents().detectors[place].name();
        let stored = &self.scores.detectors[place];
        let scores = self.derive(name, CalibrationScores::new(stored.calibration.clone()))?;
        let fixed = self.contents().legacy_threshold.filter(|_| name == STRIP_ENTROPY);
        let threshold = match fixed.and_then(Threshold::new) {
            Some(threshold) => threshold,
            None => self.derive(name, scores.threshold(level, guarantee))?.threshold,
        };
        let rule = match &self.contents().detectors[place] {
            DetectorSpecification::StripEntropy { looks, .. } => {
                let early = (fixed.is_none() && guarantee == Guarantee::Marginal)
                    .then(|| self.early_rejection(place, looks, level))
                    .flatten();
                Some(early.unwrap_or(StopRule::Curtailed { threshold, check_every: CHECK_EVERY }))
            }
            _ => None,
        };
        Ok(Part {
            name: name.to_owned(),
            calibration: Arc::clone(self),
            detectors: vec![place],
            fusion: None,
            scores,
            threshold,
            by_class: false,
            level,
            rule,
        })
    }

    /// The rule of early rejection; none where the calibration is too small for two looks.
    fn early_rejection(
        &self,
        place: usize,
        looks: &gifthorse_defence::sequential::Looks,
        level: Level,
    ) -> Option<StopRule> {
        let columns = looks.passes().len();
        let means: Vec<f64> = self.scores.detectors[place].looks.iter().flatten().copied().collect();
        let means = Array2::from_shape_vec((self.contents().calibration_images, columns), means).ok()?;
        let rule = EarlyRejection::fit(looks, means.view(), level, &Spending::equal(looks)).ok()?;
        Some(StopRule::EarlyRejection(rule))
    }

    /// The scores of the calibration inputs by a detector of the calibration.
    pub(crate) fn calibration_scores(&self, place: usize) -> &[f64] {
        &self.scores.detectors[place].calibration
    }

    fn place(&self, name: &str) -> Result<usize, DetectorError> {
        let names: Vec<&str> = self.contents().detectors.iter().map(DetectorSpecification::name).collect();
        names.iter().position(|other| *other == name).ok_or_else(|| {
            let message = format!(
                "is {name:?}, which calibrations/{} does not hold: it holds {}",
                self.record.name,
                names.join(", ")
            );
            DetectorError::field("detector", message)
        })
    }

    fn derive<T>(
        &self,
        detector: &str,
        derived: Result<T, gifthorse_defence::conformal::CalibrationError>,
    ) -> Result<T, DetectorError> {
        derived.map_err(|source| DetectorError::Threshold {
            detector: detector.to_owned(),
            calibration: self.record.name.to_string(),
            source,
        })
    }
}

/// Whether the scores are those that the record speaks of.
fn check(contents: &CalibrationContents, scores: &ScoresFile) -> Result<(), String> {
    if scores.detectors.len() != contents.detectors.len() {
        return Err(format!("it has scores of {} detectors", scores.detectors.len()));
    }
    for (scores, specification) in scores.detectors.iter().zip(&contents.detectors) {
        if scores.detector != specification.name() {
            return Err(format!("it has scores of {:?}", scores.detector));
        }
        if scores.calibration.len() != contents.calibration_images
            || scores.reference.len() != contents.reference_images
        {
            return Err(format!("it has {} scores of {}", scores.calibration.len(), scores.detector));
        }
    }
    Ok(())
}
