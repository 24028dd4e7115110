//! What the store says of a calibration.

use std::collections::BTreeMap;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, Version};
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_store::{ArtefactRecord, Artefacts, Contents, Sha256Digest};
use serde::{Deserialize, Serialize};

use super::specification::DetectorSpecification;

/// The overlay bank: prepared images, single precision, in the network's layout.
pub(crate) const BANK_FILE: &str = "bank.f32";
/// The scores, and which image served as what.
pub(crate) const SCORES_FILE: &str = "scores.json";

/// The calibrations, under `calibrations/ID`.
pub(crate) type Calibrations = Artefacts<CalibrationContents>;
/// The record of a stored calibration.
pub(crate) type CalibrationRecord = ArtefactRecord<CalibrationContents>;

/// What a calibration was made from and with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalibrationContents {
    pub(crate) model: Identifier,
    pub(crate) version: Version,
    /// Of the version's network.
    pub(crate) model_digest: Sha256Digest,
    /// The version's record: the space that the scores hold for.
    pub(crate) preprocessing: Preprocessing,
    pub(crate) dataset: Identifier,
    pub(crate) dataset_digest: Sha256Digest,
    /// Where the overlays came from, when not from the data set.
    pub(crate) overlay_dataset: Option<Identifier>,
    pub(crate) seed: u64,
    /// SHA-256 of the overlay bank: images, order, classes, space.
    pub(crate) bank_digest: String,
    /// Known class of each overlay.
    pub(crate) bank_labels: Vec<usize>,
    /// Overlays that are images of a data set; the others are flips and shifts of them.
    pub(crate) drawn_overlays: usize,
    /// Places in the bank of the overlays that serve as hosts.
    pub(crate) hosts: Vec<usize>,
    pub(crate) reference_images: usize,
    /// m.
    pub(crate) calibration_images: usize,
    /// The layer asked for; empty for the default one.
    pub(crate) layer: String,
    pub(crate) detectors: Vec<DetectorSpecification>,
    /// Mean and standard deviation of the calibration scores, by detector.
    pub(crate) summaries: BTreeMap<String, Summary>,
    /// A fixed entropy threshold, in bit.
    pub(crate) legacy_threshold: Option<f64>,
    pub(crate) notes: Vec<String>,
}

/// Mean and standard deviation of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) standard_deviation: f64,
}

impl Summary {
    /// Of at least one score.
    pub(crate) fn of(scores: &[f64]) -> Self {
        let count = scores.len().max(1) as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
        Self { mean, standard_deviation: variance.sqrt() }
    }
}

impl CalibrationContents {
    /// Whether the scores of several detectors can be added.
    pub(crate) fn can_be_fused(&self) -> bool {
        let fusible = self.detectors.iter().filter(|one| one.fuses()).count();
        fusible > 1 && self.reference_images > 1
    }
}

impl Contents for CalibrationContents {
    const COLLECTION: &'static str = "calibrations";
    const MARK: &'static str = "calibration.json";
    const FORMAT: u32 = 1;
    const NOT_FOUND: ErrorCode = ErrorCode::ResourceNotFound;

    fn check(&self) -> Result<(), String> {
        if self.detectors.is_empty() {
            return Err("it holds no detector".to_owned());
        }
        if self.calibration_images == 0 {
            return Err("it holds no calibration scores".to_owned());
        }
        let overlays = self.bank_labels.len();
        if self.hosts.iter().any(|host| *host >= overlays) || self.drawn_overlays > overlays {
            return Err(format!("its bank of {overlays} overlays is too small"));
        }
        match self.legacy_threshold {
            Some(threshold) if !threshold.is_finite() => Err("its fixed threshold is no number".to_owned()),
            _ => Ok(()),
        }
    }
}

/// What the scores file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoresFile {
    /// Rows of the data set that serve as reference.
    pub(crate) reference_rows: Vec<u64>,
    /// Rows of the data set that calibrate.
    pub(crate) calibration_rows: Vec<u64>,
    /// SHA-256 of every image that had a part in the calibration, as prepared.
    pub(crate) image_digests: Vec<String>,
    /// By detector, in the order of the specifications.
    pub(crate) detectors: Vec<DetectorScores>,
}

/// The scores of one detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectorScores {
    pub(crate) detector: String,
    /// In the order of the reference rows.
    pub(crate) reference: Vec<f64>,
    /// In the order of the calibration rows.
    pub(crate) calibration: Vec<f64>,
    /// Running means at every look of a sequential detector, `[m][looks]`; empty from others.
    pub(crate) looks: Vec<Vec<f64>>,
}
