//! Training, step by step and epoch by epoch, with a state that can be put down and taken up again.

mod epoch;
mod examples;
mod order;
mod recipe;
mod shift;
mod step;

use serde::{Deserialize, Serialize};

pub use epoch::EpochReport;
pub use examples::{Batch, Examples, ExamplesError, InMemory};
pub use recipe::{Decays, FeatureShift, Recipe};
use shift::Shift;
pub use step::StepReport;
pub(crate) use step::slope;

use crate::checkpoint::Checkpoint;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;
use crate::optimizer::Memory;

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Whole epochs done.
    pub epoch: u64,
    /// Steps done, over all epochs.
    pub step: u64,
    /// Batches done in the current epoch.
    pub batch: u64,
    /// Batches in the current epoch; zero before the first.
    pub batches: u64,
    /// Images in an epoch; zero before the first.
    pub images: u64,
    /// Sum of the losses of the images of the current epoch so far.
    pub loss_sum: f64,
    /// How many images that are.
    pub seen: u64,
}

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    network: Network,
    recipe: Recipe,
    memories: Vec<Memory>,
    position: Position,
    shift: Option<Shift>,
}

impl Trainer {
    /// Begins to train a network.
    ///
    /// # Errors
    /// [`TrainingError::Setting`], [`TrainingError::NothingToTrain`], and [`TrainingError::NoSuchTensor`] where the
    /// output layer to shift is not there.
    pub fn new(network: Network, recipe: Recipe) -> Result<Self, TrainingError> {
        let mut network = network;
        let shift = Shift::of(&network, &recipe)?;
        if let Some(shift) = &shift {
            shift.begin(&mut network, recipe.seed)?;
        }
        Self::with(network, recipe, shift)
    }

    fn with(network: Network, recipe: Recipe, shift: Option<Shift>) -> Result<Self, TrainingError> {
        recipe.check()?;
        let memories = network
            .trained()
            .map(|(parameter, weight)| Memory::new(recipe.optimizer, weight).at(&parameter.name))
            .collect::<Result<Vec<_>, _>>()?;
        if memories.is_empty() {
            return Err(TrainingError::NothingToTrain);
        }
        Ok(Self { network, recipe, memories, position: Position::default(), shift })
    }

    /// Goes on where a checkpoint was made, with the network it was begun with: weights, masks and what is
    /// frozen come out of the checkpoint. In the same [`Environment`](crate::Environment) and on the same kind
    /// of processor the training ends with the bits it would have ended with undisturbed.
    ///
    /// # Errors
    /// [`TrainingError::OtherTraining`] when network or settings are others.
    pub fn resume(network: Network, recipe: Recipe, checkpoint: &Checkpoint) -> Result<Self, TrainingError> {
        let mut network = network;
        let shift = Shift::of(&network, &recipe)?;
        checkpoint.restore_network(&mut network)?;
        let mut trainer = Self::with(network, recipe, shift)?;
        checkpoint.restore_trainer(&mut trainer)?;
        Ok(trainer)
    }

    /// All that is needed to go on from here, as bytes.
    ///
    /// # Errors
    /// [`TrainingError::Torch`].
    pub fn checkpoint(&self) -> Result<Vec<u8>, TrainingError> {
        Checkpoint::of(self)?.into_bytes()
    }

    /// The network as it is now.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The network as it is now, at the end of its training.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// The settings.
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// How far it has come.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Time in epochs, on which the learning rate depends.
    fn epochs_done(&self) -> f64 {
        let Position { epoch, batch, batches, .. } = self.position;
        let part = if batches == 0 { 0.0 } else { batch as f64 / batches as f64 };
        epoch as f64 + part
    }

    pub(crate) fn memories(&self) -> &[Memory] {
        &self.memories
    }

    pub(crate) fn restore(&mut self, position: Position, memories: Vec<Memory>) {
        self.position = position;
        self.memories = memories;
    }
}
