//! Scans: the requests, and what was found by image.

use std::collections::BTreeMap;

use gifthorse_api::v1;
use gifthorse_api::v1::image_tensor::Content;
use serde::Serialize;

use crate::LoadError;
use crate::options::Options;

/// What one scan found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scan {
    image: usize,
    finding: Finding,
}

/// What the deciding detector said of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    score: f64,
    score_is_bound: bool,
    rejected: bool,
    passes: i32,
}

/// What all scans found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scans {
    /// Mean of the passes used.
    passes_per_scan: f64,
    /// Answers that differ, in the last bit or more, from the first one about the same image.
    unlike: u64,
    /// The first answer about each image that was scanned, by the image's place in the file.
    images: BTreeMap<usize, Finding>,
}

impl Scan {
    /// What an answer about an image says; none for one without findings.
    pub(crate) fn of(image: usize, answer: &v1::ScanResponse) -> Option<Self> {
        let first = answer.detectors.first()?;
        let finding = Finding {
            score: first.score,
            score_is_bound: first.score_is_bound,
            rejected: first.rejected,
            passes: first.passes_used,
        };
        Some(Self { image, finding })
    }
}

impl Scans {
    /// Sums up; none without scans.
    pub(crate) fn of(scans: &[Scan]) -> Option<Self> {
        let mut summed = Self::default();
        for scan in scans {
            let first = *summed.images.entry(scan.image).or_insert(scan.finding);
            summed.unlike += u64::from(first != scan.finding);
            summed.passes_per_scan += f64::from(scan.finding.passes) / scans.len() as f64;
        }
        (!scans.is_empty()).then_some(summed)
    }
}

/// One request for each image of the file.
pub(crate) fn requests(options: &Options) -> Result<Vec<v1::ScanRequest>, LoadError> {
    let file = options.input.clone().unwrap_or_default();
    let bytes = std::fs::read(&file)
        .map_err(|source| LoadError::Io { what: format!("cannot read {}", file.display()), source })?;
    let size = options.shape.iter().product::<i64>().unsigned_abs() as usize * size_of::<f32>();
    if size == 0 || bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        let message = format!("{} holds {} bytes, an image takes {size}", file.display(), bytes.len());
        return Err(LoadError::Options(message));
    }
    let request = |data: &[u8]| v1::ScanRequest {
        calibration: options.model.clone(),
        tensor: Some(v1::ImageTensor {
            shape: options.shape.iter().map(|side| *side as i32).collect(),
            content: Content::PreparedFp32.into(),
            data: data.to_vec().into(),
        }),
        detector: options.detector.clone(),
        alpha: options.alpha,
        confidence: options.confidence,
        exact: options.exact,
        ..Default::default()
    };
    Ok(bytes.chunks(size).map(request).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(score: f64, passes_used: i32) -> v1::ScanResponse {
        let finding = v1::DetectorFinding { score, passes_used, ..Default::default() };
        v1::ScanResponse { detectors: vec![finding], ..Default::default() }
    }

    #[test]
    fn passes_are_averaged_and_answers_that_change_are_counted() {
        let scans = [(0, 0.5, 10), (1, 0.25, 30), (0, 0.5, 10), (1, 0.125, 30)]
            .map(|(image, score, passes)| Scan::of(image, &answer(score, passes)).unwrap());
        let json = serde_json::to_value(Scans::of(&scans).unwrap()).unwrap();
        assert_eq!(json["passesPerScan"], 20.0);
        assert_eq!(json["unlike"], 1);
        assert_eq!(json["images"]["1"]["score"], 0.25);
        assert!(Scans::of(&[]).is_none());
        assert_eq!(Scan::of(0, &v1::ScanResponse::default()), None);
    }
}
