//! Calibrations as messages of the contract.

use gifthorse_api::name::ModelName;
use gifthorse_api::v1;
use gifthorse_dataset::wire;
use jiff::Timestamp;

use super::record::{CalibrationContents, CalibrationRecord, Summary};
use super::specification::FUSED;

/// A calibration.
pub(crate) fn calibration(record: &CalibrationRecord) -> v1::Calibration {
    let contents = &record.contents;
    let version = ModelName { model: contents.model.clone(), version: Some(contents.version) };
    v1::Calibration {
        name: format!("calibrations/{}", record.name),
        model_version: version.to_string(),
        model_digest: contents.model_digest.to_string(),
        dataset: format!("datasets/{}", contents.dataset),
        dataset_digest: contents.dataset_digest.to_string(),
        bank_digest: contents.bank_digest.clone(),
        overlays: contents.bank_labels.len() as i32,
        detectors: contents
            .detectors
            .iter()
            .map(|specification| {
                let summary = contents.summaries.get(specification.name()).copied();
                calibrated(contents, specification.message(&contents.layer), summary)
            })
            .collect(),
        preprocessing: Some(wire::to_message(&contents.preprocessing)),
        seed: contents.seed,
        create_time: Some(timestamp(record.create_time)),
        files: record
            .files
            .iter()
            .map(|(name, file)| v1::ArtefactFile {
                file_name: name.to_string(),
                size: file.size as i64,
                sha256: file.sha256.to_string(),
            })
            .collect(),
        legacy_threshold: contents.legacy_threshold,
        drawn_overlays: contents.drawn_overlays as i32,
        reference_images: contents.reference_images as i32,
        fused: contents.can_be_fused().then(|| {
            let settings = v1::DetectorSettings { detector: FUSED.to_owned(), ..Default::default() };
            calibrated(contents, settings, None)
        }),
        notes: contents.notes.clone(),
    }
}

fn calibrated(
    contents: &CalibrationContents,
    settings: v1::DetectorSettings,
    summary: Option<Summary>,
) -> v1::CalibratedDetector {
    v1::CalibratedDetector {
        settings: Some(settings),
        calibration_images: contents.calibration_images as i32,
        mean: summary.map(|summary| summary.mean).unwrap_or_default(),
        standard_deviation: summary.map(|summary| summary.standard_deviation).unwrap_or_default(),
        least_alpha: 1.0 / (contents.calibration_images as f64 + 1.0),
    }
}

/// A moment.
pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}
