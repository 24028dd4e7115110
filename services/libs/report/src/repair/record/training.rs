//! The part of a repair that trains.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a training was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingRole {
    /// One of several settings tried on the pruned network.
    Candidate,
    /// The setting whose network became the repaired one.
    Chosen,
    /// The same training of the network that was not pruned, for comparison.
    FineTuneOnly,
}

/// One training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Training {
    /// Its settings in short, for people: `lr 0.01, rho 0.5`.
    pub name: String,
    /// What it was for.
    pub role: TrainingRole,
    /// Its settings.
    pub parameters: BTreeMap<String, f64>,
    /// What was measured after every epoch.
    pub epochs: Vec<Epoch>,
    /// Why it broke off: `the loss is not a number at step 12`.
    pub error: Option<String>,
}

/// One epoch of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Epoch {
    /// Which, from 1; 0 is before the training.
    pub epoch: u32,
    /// The mean loss over its batches.
    pub mean_loss: f64,
    /// Accuracy on held-out clean images after it, 0..1.
    pub held_out_accuracy: Option<f64>,
}
