//! The settings of a training.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::graph::Role;
use crate::mode::Mode;
use crate::optimizer::{Optimizer, Schedule};

/// What weight decay pulls towards zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decays {
    /// All that is trained, as PyTorch does when it is not told otherwise.
    #[default]
    All,
    /// Kernels and matrices alone.
    Weights,
}

/// How the output layer is shifted (feature shift tuning, Min et al., NeurIPS 2023).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureShift {
    /// Name of the tensor of its weights.
    pub head: String,
    /// How hard the new weights are pushed away from the old ones: 0.1 to 0.2 as published.
    pub strength: f64,
}

/// The settings of a training; with the same network, data and [`Environment`](crate::Environment) they
/// determine the trained weights to the bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// How a gradient moves the weights.
    pub optimizer: Optimizer,
    /// The step size at the beginning.
    pub learning_rate: f64,
    /// How the step size changes.
    pub schedule: Schedule,
    /// Share of a weight that is added to its gradient, or taken off it by `AdamW`.
    pub weight_decay: f64,
    /// What that is done to.
    pub decays: Decays,
    /// Share of each target that is spread over all classes, from 0 to below 1.
    pub label_smoothing: f64,
    /// The longest gradient, all weights together; none leaves gradients as they are.
    pub longest_gradient: Option<f64>,
    /// Radius within which the loss is taken at its worst: with it SGD becomes FT-SAM, at twice the cost. None
    /// takes the loss where the weights are.
    pub sharpness_radius: Option<f64>,
    /// Draws the output layer anew and pushes it away from what it was; none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_shift: Option<FeatureShift>,
    /// Images in a step.
    pub batch: NonZeroUsize,
    /// Where all chance comes from: the order of the images, what dropout drops.
    pub seed: u64,
    /// Batch normalisation and dropout.
    pub mode: Mode,
}

impl Recipe {
    /// Gradient descent with momentum 0.9 and nothing else: batches of 32, a constant rate, seed 0.
    pub fn sgd(learning_rate: f64) -> Self {
        const BATCH: NonZeroUsize = NonZeroUsize::new(32).unwrap();
        Self {
            optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false },
            learning_rate,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            decays: Decays::All,
            label_smoothing: 0.0,
            longest_gradient: None,
            sharpness_radius: None,
            feature_shift: None,
            batch: BATCH,
            seed: 0,
            mode: Mode::default(),
        }
    }

    /// FT-SAM as published (Zhu et al., ICCV 2023): SGD with momentum 0.9, decay 5e-4, half a cosine over all
    /// epochs, label smoothing 0.1, and a radius of the caller's choice: 2 and 8 were published, on small
    /// networks they diverge.
    pub fn ft_sam(learning_rate: f64, sharpness_radius: f64, epochs: u32) -> Self {
        Self {
            schedule: Schedule::Cosine { epochs: f64::from(epochs), left: 0.0 },
            weight_decay: 5e-4,
            label_smoothing: 0.1,
            sharpness_radius: Some(sharpness_radius),
            ..Self::sgd(learning_rate)
        }
    }

    /// Feature shift tuning as published: half a cosine over all epochs, the output layer drawn anew and pushed with
    /// a strength of 0.1 to 0.2.
    pub fn feature_shift(learning_rate: f64, shift: FeatureShift, epochs: u32) -> Self {
        Self {
            schedule: Schedule::Cosine { epochs: f64::from(epochs), left: 0.0 },
            feature_shift: Some(shift),
            ..Self::sgd(learning_rate)
        }
    }

    /// Share of a tensor of this role that decays.
    pub(super) fn decay_of(&self, role: Role) -> f64 {
        let decays = self.decays == Decays::All || role == Role::Weight;
        if decays { self.weight_decay } else { 0.0 }
    }

    /// # Errors
    /// [`TrainingError::Setting`] for the first that is out of its range.
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        let check = |field, value: f64, fits: bool, needed| {
            if fits && value.is_finite() {
                return Ok(());
            }
            Err(TrainingError::Setting { field, found: value.to_string(), needed })
        };
        self.optimizer.check()?;
        self.schedule.check()?;
        check("learning rate", self.learning_rate, self.learning_rate > 0.0, "positive")?;
        check("weight decay", self.weight_decay, self.weight_decay >= 0.0, "zero or positive")?;
        let smoothing = self.label_smoothing;
        check("label smoothing", smoothing, (0.0..1.0).contains(&smoothing), "from 0 to below 1")?;
        if let Some(longest) = self.longest_gradient {
            check("longest gradient", longest, longest > 0.0, "positive")?;
        }
        if let Some(shift) = &self.feature_shift {
            let strength = shift.strength;
            check("strength of the feature shift", strength, strength >= 0.0, "zero or positive")?;
        }
        if let Some(radius) = self.sharpness_radius {
            check("sharpness radius", radius, radius >= 0.0, "zero or positive")?;
        }
        Ok(())
    }
}
