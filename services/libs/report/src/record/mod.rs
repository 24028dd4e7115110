//! The report as data: what `report.json` holds, and what everything else of the report is made of.
//!
//! All that the tables and figures show is computed from a [`Record`], so a report can be drawn again, or
//! several of them together, from their `report.json` alone.

mod file;
mod wire;

use gifthorse_api::v1;
use serde::{Deserialize, Serialize};

pub use file::{SCHEMA, read};

use crate::error::ReportError;

/// The form of `report.json`; a change that a reader must know of makes it larger.
pub const SCHEMA_VERSION: u64 = 1;

/// A report as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// The title.
    pub title: String,
    /// When the report was made, as its maker said.
    pub made_at: String,
    /// The commands that measured what it shows.
    pub commands: Vec<String>,
    /// What was measured, one network and setting each.
    pub evaluations: Vec<EvaluationRecord>,
}

impl Record {
    /// The record of what was measured.
    ///
    /// Fails on numbers that are not finite, on lists of different length that belong together, and on
    /// pictures that cannot be shown.
    pub fn new(
        title: String,
        made_at: String,
        command: String,
        evaluations: &[v1::Evaluation],
    ) -> Result<Self, ReportError> {
        if evaluations.is_empty() {
            return Err(ReportError::Empty);
        }
        let evaluations = evaluations.iter().map(wire::evaluation).collect::<Result<_, _>>()?;
        let commands = if command.is_empty() { Vec::new() } else { vec![command] };
        Ok(Self { schema_version: SCHEMA_VERSION, title, made_at, commands, evaluations })
    }

    /// One report on all that several reports show, in their order.
    pub fn merge(
        title: String,
        made_at: String,
        records: impl IntoIterator<Item = Self>,
    ) -> Result<Self, ReportError> {
        let mut merged = Self {
            schema_version: SCHEMA_VERSION,
            title,
            made_at,
            commands: Vec::new(),
            evaluations: Vec::new(),
        };
        for record in records {
            for command in record.commands {
                if !merged.commands.contains(&command) {
                    merged.commands.push(command);
                }
            }
            merged.evaluations.extend(record.evaluations);
        }
        if merged.evaluations.is_empty() { Err(ReportError::Empty) } else { Ok(merged) }
    }
}

/// An estimated rate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Estimate {
    /// The point estimate, 0..1.
    pub estimate: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Confidence of the interval, 0..1.
    pub confidence: f64,
    /// How many images it rests on.
    pub observations: u64,
}

/// What was measured of one network under one policy or calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluationRecord {
    /// `models/NAME/versions/VERSION`.
    pub network: String,
    /// Policy or calibration that decided.
    pub policy: String,
    /// Calibrations that were used.
    pub calibrations: Vec<String>,
    /// Budget of clean images that may be rejected, 0..1.
    pub alpha: Option<f64>,
    /// Confidence of the PAC rule; null for the marginal rule.
    pub confidence: Option<f64>,
    /// Count of classes, M.
    pub class_count: u64,
    /// `datasets/NAME` of the clean images.
    pub clean_dataset: String,
    /// Clean images measured.
    pub clean_images: u64,
    /// Correct answers of the network alone on clean images.
    pub clean_accuracy: Option<Estimate>,
    /// Correct guarded answers on clean images.
    pub guarded_clean_accuracy: Option<Estimate>,
    /// Clean images rejected.
    pub false_rejection_rate: Option<Estimate>,
    /// Mean passes on clean images with early stopping.
    pub mean_passes_clean: Option<f64>,
    /// Passes taken on each clean image with early stopping.
    pub clean_passes: Vec<u32>,
    /// By triggered set.
    pub triggered: Vec<TriggeredRecord>,
    /// By detector.
    pub detectors: Vec<DetectorRecord>,
    /// Seconds that the evaluation took.
    pub seconds: Option<f64>,
    /// Seconds that scanning one image took.
    pub seconds_per_scan: Option<f64>,
    /// What the reader should know of the measurement.
    pub notes: Vec<String>,
    /// Pictures that show what the detectors did.
    pub illustrations: Vec<IllustrationRecord>,
}

/// What was measured on one triggered set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggeredRecord {
    /// `datasets/NAME`.
    pub dataset: String,
    /// The attacker's class.
    pub target: i64,
    /// Images measured.
    pub images: u64,
    /// Images on which the network alone answers the attacker's class.
    pub attack_success_rate: Option<Estimate>,
    /// Images on which the guarded answer is the attacker's class.
    pub residual_attack_success_rate: Option<Estimate>,
    /// Images on which the guarded answer is the true class.
    pub robust_accuracy: Option<Estimate>,
    /// Images accepted.
    pub false_acceptance_rate: Option<Estimate>,
    /// Effective trojans accepted.
    pub false_acceptance_rate_effective: Option<Estimate>,
    /// Area under the ROC curve of exact scores.
    pub auroc: Option<f64>,
    /// Mean passes with early stopping.
    pub mean_passes: Option<f64>,
    /// Passes taken on each image with early stopping.
    pub passes: Vec<u32>,
    /// Whether the network alone answers the attacker's class, image by image; empty when unknown.
    pub effective: Vec<bool>,
}

/// What was measured of one detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectorRecord {
    /// Its name.
    pub detector: String,
    /// Whether its findings are part of the verdict.
    pub decides: bool,
    /// Its threshold; null where the calibration supports none at this budget.
    pub threshold: Option<f64>,
    /// Why it has no threshold.
    pub refusal: Option<String>,
    /// Forward passes an exact score takes.
    pub passes: u32,
    /// Clean images rejected by it alone.
    pub false_rejection_rate: Option<Estimate>,
    /// Scores of the calibration inputs.
    pub calibration_scores: Vec<f64>,
    /// Exact scores of the clean images; low = trojaned.
    pub clean_scores: Vec<f64>,
    /// What it found on each triggered set.
    pub triggered: Vec<DetectorTriggeredRecord>,
}

/// What one detector found on one triggered set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DetectorTriggeredRecord {
    /// `datasets/NAME`.
    pub dataset: String,
    /// Exact scores, in the order of the images.
    pub scores: Vec<f64>,
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
    /// Images accepted.
    pub false_acceptance_rate: Option<Estimate>,
    /// Effective trojans accepted.
    pub false_acceptance_rate_effective: Option<Estimate>,
}

/// What the detectors did with one image. Pictures are PNG files in base64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IllustrationRecord {
    /// `datasets/NAME` of the image.
    pub dataset: String,
    /// Which image, from 0.
    pub index: u64,
    /// Whether the data set is a triggered one.
    pub triggered: bool,
    /// The image.
    pub image: Option<String>,
    /// An overlay of the bank.
    pub overlay: Option<String>,
    /// The blend of both.
    pub blend: Option<String>,
    /// Where the evidence is.
    pub evidence: Option<RegionRecord>,
    /// Class of the network.
    pub network_label: i64,
    /// Known class.
    pub label: i64,
    /// Verdict: `CLEAN`, `TROJANED`, ...
    pub verdict: String,
    /// Score that decided.
    pub score: Option<f64>,
    /// Its p-value.
    pub p_value: Option<f64>,
}

/// A rectangle of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionRecord {
    /// First row.
    pub top: u32,
    /// First column.
    pub left: u32,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}
