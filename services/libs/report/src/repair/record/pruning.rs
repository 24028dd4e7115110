//! The part of a repair that prunes.

use serde::{Deserialize, Serialize};

/// The layer whose channels were pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerSummary {
    /// Its name in the network.
    pub name: String,
    /// Channels of its output.
    pub channels: usize,
    /// Rows of its output.
    pub height: usize,
    /// Columns of its output.
    pub width: usize,
    /// Why the network's output can go around it; none where every path passes it.
    pub bypass: Option<String>,
}

/// The clean images, and what each part of them was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CleanSummary {
    /// `datasets/NAME`.
    pub dataset: String,
    /// Images of it.
    pub images: usize,
    /// Classes with at least one image.
    pub covered_classes: usize,
    /// Classes of the network, M.
    pub classes: usize,
    /// Images that ranked the channels.
    pub ranking_images: usize,
    /// Images that each step of the curve was scored on.
    pub scoring_images: usize,
    /// Images of classes that the repair never saw.
    pub unseen_class_images: usize,
    /// Whether one and the same images ranked and scored, which flatters the curve.
    pub scored_on_all: bool,
}

/// The mean output of the layer over the images of one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivationMaps {
    /// [`CLEAN`](super::CLEAN), or `datasets/NAME` of a triggered set.
    pub set: String,
    /// Images of the mean.
    pub images: u64,
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The means, by channel, row and column.
    pub values: Vec<f32>,
}

/// A triggered set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggeredSet {
    /// `datasets/NAME`.
    pub dataset: String,
    /// Images of it.
    pub images: usize,
    /// The attacker's class; none when it is not known.
    pub target: Option<u32>,
    /// What the repair did with it, for people: `reports`, `reports and gates`.
    pub used_for: String,
}

/// What was measured after pruning so many channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CurvePoint {
    /// Pruned channels.
    pub channels: usize,
    /// Correct answers among the [scoring images](CleanSummary::scoring_images).
    pub clean_correct: usize,
    /// On every triggered set, in their order.
    pub triggered: Vec<TriggeredPoint>,
}

/// What was measured on one triggered set after pruning so many channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggeredPoint {
    /// Images of the set that reach the attacker's class.
    pub to_target: usize,
    /// Images of the set that get their true class; none where these are not known.
    pub correct: Option<usize>,
}

/// What others measured after pruning so many channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishedPoint {
    /// Pruned channels.
    pub channels: usize,
    /// Accuracy on their clean images, 0..1.
    pub clean_accuracy: Option<f64>,
    /// Success of their attack, 0..1.
    pub attack_success: Option<f64>,
    /// Who, and where it is said.
    pub source: String,
}

/// How many channels went, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choice {
    /// Pruned channels.
    pub channels: usize,
    /// The rule, for people: `accuracy may fall by 4 points`.
    pub rule: String,
    /// Why the rule ends there, for people: `the next step falls by 4.7 points`.
    pub reason: String,
}
