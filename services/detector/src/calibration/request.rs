//! `CalibrateRequest`, parsed: everything a calibration is a function of.

use gifthorse_api::name::{DatasetName, Identifier, ModelName, NameError};
use gifthorse_api::v1;
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_dataset::wire;
use gifthorse_store::{DatasetRecord, ModelRecord, Sha256Digest};

use super::asked::Asked;
use crate::error::DetectorError;

/// Characters of the digest in a calibration's name.
const DIGITS: usize = 12;
/// Characters of the model's name in a calibration's name.
const NAME: usize = 40;

/// A request that makes sense on its own.
#[derive(Debug, Clone)]
pub(crate) struct CalibrationRequest {
    pub(crate) model: ModelName,
    pub(crate) dataset: Identifier,
    pub(crate) overlay_dataset: Option<Identifier>,
    pub(super) asked: Asked,
    pub(super) overlays: usize,
    pub(super) reference: usize,
    pub(super) seed: u64,
    pub(super) augment: bool,
    pub(super) one_per_group: bool,
    pub(super) legacy_threshold: Option<f64>,
    overrides: v1::PreprocessingOverride,
}

impl CalibrationRequest {
    /// Parses and checks.
    pub(crate) fn parse(message: v1::CalibrateRequest) -> Result<Self, DetectorError> {
        let count = |field: &'static str, value: i32| {
            usize::try_from(value)
                .map_err(|_| DetectorError::field(field, format!("is {value}: use 0 for the default")))
        };
        let dataset = |name: &str| -> Result<Identifier, NameError> {
            name.parse().map(|DatasetName(identifier)| identifier)
        };
        let legacy_threshold = message.legacy_threshold;
        if let Some(threshold) = legacy_threshold.filter(|threshold| !threshold.is_finite()) {
            let message = format!("is {threshold}: give an entropy in bit");
            return Err(DetectorError::field("legacy_threshold", message));
        }
        let overlay_dataset = match message.overlay_dataset.as_str() {
            "" => None,
            name => Some(dataset(name)?),
        };
        if overlay_dataset.is_some() && (message.overlays != 0 || message.augment) {
            let message = "names the bank: leave overlays and augment out";
            return Err(DetectorError::field("overlay_dataset", message));
        }
        Ok(Self {
            model: message.model.parse()?,
            dataset: dataset(&message.dataset)?,
            overlay_dataset,
            asked: Asked::of(message.detectors)?,
            overlays: count("overlays", message.overlays)?,
            reference: count("reference_images", message.reference_images)?,
            seed: message.seed,
            augment: message.augment,
            one_per_group: message.one_per_group,
            legacy_threshold,
            overrides: message.preprocessing_override.unwrap_or_default(),
        })
    }

    /// How the data set's images are prepared for this version.
    pub(super) fn preprocessing(&self, record: &ModelRecord) -> Result<Preprocessing, DetectorError> {
        Ok(wire::overridden(&record.specification.preprocessing, &self.overrides)?)
    }

    /// The calibration's name: the model's, and a digest of all that the scores are a function of. The same
    /// request on the same artefacts is the same calibration.
    pub(super) fn name(
        &self,
        model: &ModelRecord,
        dataset: &DatasetRecord,
        overlays: Option<&DatasetRecord>,
    ) -> Result<Identifier, DetectorError> {
        // The text form of a message names every field.
        let settings: Vec<String> = self.asked.settings.iter().map(|one| format!("{one:?}")).collect();
        let settings = settings.join("\n");
        let text = format!(
            "1\n{}\n{}\n{}\n{}\n{:?}\n{}\n{settings}\n{} {} {} {} {} {:?} {:?}",
            model.model,
            model.version,
            model.digest,
            dataset.digest,
            overlays.map(|record| record.digest),
            model.specification.preprocessing.digest(),
            self.overlays,
            self.reference,
            self.seed,
            self.augment,
            self.one_per_group,
            self.legacy_threshold.map(f64::to_bits),
            self.overrides,
        );
        let digest = Sha256Digest::of(text.as_bytes()).to_string();
        let model: String = model.model.as_str().chars().take(NAME).collect();
        Ok(format!("{}-{}", model.trim_end_matches(['-', '.', '_']), &digest[..DIGITS]).parse()?)
    }
}
