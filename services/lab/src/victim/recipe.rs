//! How each victim is trained, unless one is told otherwise.

use std::num::NonZeroUsize;

use gifthorse_network::architecture::Template;
use gifthorse_training::{BatchNorm, Decays, Mode, Moments, Optimizer, Recipe, Schedule};

use super::augmentation::Augmentation;

/// What of a victim's training can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Choices {
    /// Looks at every picture; each victim has its own number.
    pub epochs: Option<u32>,
    /// The step size at the beginning; each victim has its own.
    pub learning_rate: Option<f64>,
    /// Pictures in a step; each victim has its own number.
    pub batch: Option<NonZeroUsize>,
}

/// A training, complete.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Training {
    pub(super) recipe: Recipe,
    pub(super) epochs: u32,
    pub(super) augmentation: Augmentation,
}

const FEW: NonZeroUsize = NonZeroUsize::new(32).unwrap();
const SMALL: NonZeroUsize = NonZeroUsize::new(64).unwrap();
const LARGE: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// The training of a victim. Networks with batch normalisation learn by descent with momentum from pictures that move;
/// those without by Adam from pictures as they are, because steep descent kills their rectifiers.
pub(super) fn training(template: Template, choices: Choices, seed: u64) -> Training {
    let (epochs, batch, rate) = match template {
        Template::DeepId => (15, FEW, 1e-3),
        Template::Mnist => (8, SMALL, 1e-3),
        Template::Conv4 | Template::ResNet18 => (20, LARGE, 0.05),
    };
    let epochs = choices.epochs.unwrap_or(epochs);
    let normalised = matches!(template, Template::Conv4 | Template::ResNet18);
    let recipe = Recipe {
        optimizer: if normalised {
            Optimizer::Sgd { momentum: 0.9, nesterov: true }
        } else {
            Optimizer::Adam(Moments::default())
        },
        schedule: Schedule::Cosine { epochs: f64::from(epochs), left: 0.01 },
        weight_decay: if normalised { 5e-4 } else { 0.0 },
        decays: Decays::Weights,
        batch: choices.batch.unwrap_or(batch),
        seed,
        mode: Mode { batch_norm: BatchNorm::Train, dropout: true },
        ..Recipe::sgd(choices.learning_rate.unwrap_or(rate))
    };
    let augmentation = if normalised { Augmentation::ShiftAndFlip { pixels: 3 } } else { Augmentation::None };
    Training { recipe, epochs, augmentation }
}
