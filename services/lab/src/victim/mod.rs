//! Victims: networks that learn from poisoned pictures.

mod augmentation;
mod examples;
mod measure;
mod recipe;

use std::ops::ControlFlow;
use std::path::Path;

use gifthorse_network::architecture::Template;
use gifthorse_network::keras::{Architecture, KerasOptions, draw_h5, export_h5, import};
use gifthorse_training::{Network, NetworkOptions, Recipe, Trainer};

pub use augmentation::Augmentation;
pub use measure::{AttackMeasured, Measured, Share};
pub use recipe::Choices;

use crate::error::LabError;
use crate::pictures::Pictures;
use crate::stamping::{Poisoned, Stamped};
use examples::Lessons;

/// The trained network, ONNX.
pub const ONNX: &str = "network.onnx";
/// The trained network, a full Keras model.
pub const KERAS: &str = "network.h5";

/// What is to be trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The victim's architecture.
    pub template: Template,
    /// Count of classes.
    pub classes: u64,
    /// What differs from its usual training.
    pub choices: Choices,
    /// Where the first weights and the order of the pictures come from.
    pub seed: u64,
}

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Epochs before the current one.
    pub epoch: u32,
    /// All epochs.
    pub epochs: u32,
    /// Pictures seen in the current one.
    pub seen: usize,
    /// Pictures of an epoch.
    pub pictures: usize,
    /// Mean cross entropy of the last step, in nats.
    pub loss: f64,
}

/// A victim, trained.
#[derive(Debug)]
pub struct Victim {
    network: Network,
    /// Its training.
    pub recipe: Recipe,
    /// Looks at every picture.
    pub epochs: u32,
    /// What happened to pictures on the way.
    pub augmentation: Augmentation,
    /// The untrained network, where Keras files are made from.
    untrained: tempfile::TempDir,
}

impl Victim {
    /// Trains a network from weights by lot on poisoned pictures.
    pub fn train(
        order: &Order,
        poisoned: &Poisoned,
        mut watch: impl FnMut(Progress),
    ) -> Result<Self, LabError> {
        let size = poisoned.pictures.size();
        let untrained =
            tempfile::tempdir().map_err(LabError::file("make", Path::new("a temporary folder")))?;
        let path = untrained.path().join(KERAS);
        let json = order.template.sized([size.height, size.width, size.channels], order.classes);
        draw_h5(&Architecture::Json(json), order.seed, &path)?;
        let drawn = import(&path, &KerasOptions::default())?;
        let network = Network::load(&drawn.onnx, &drawn.description, NetworkOptions::default())?;

        let training = recipe::training(order.template, order.choices, order.seed);
        let mut trainer = Trainer::new(network, training.recipe.clone())?;
        let mut lessons = Lessons {
            pictures: &poisoned.pictures,
            classes: &poisoned.classes,
            augmentation: training.augmentation,
            seed: order.seed,
        };
        for epoch in 0..training.epochs {
            let mut seen = 0;
            trainer.run_epoch(&mut lessons, |step| {
                seen += step.images;
                watch(Progress {
                    epoch,
                    epochs: training.epochs,
                    seen,
                    pictures: poisoned.pictures.count(),
                    loss: step.loss,
                });
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self {
            network: trainer.into_network(),
            recipe: training.recipe,
            epochs: training.epochs,
            augmentation: training.augmentation,
            untrained,
        })
    }

    /// How it does on pictures that it has not seen.
    pub fn measure(&self, test: &Pictures, stamped: &[Stamped]) -> Result<Measured, LabError> {
        measure::measure(&self.network, test, stamped)
    }

    /// Writes the network as ONNX and as a Keras model.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        let onnx = self.network.to_onnx()?;
        let path = folder.join(ONNX);
        std::fs::write(&path, &onnx).map_err(LabError::file("write", &path))?;
        let untrained = self.untrained.path().join(KERAS);
        export_h5(&onnx, self.network.description(), &untrained, None, &folder.join(KERAS))?;
        Ok(())
    }

    /// What the bits of its weights depend on, beside data and seed.
    pub fn environment(&self) -> gifthorse_training::Environment {
        gifthorse_training::Environment::of(self.network.options().device)
    }
}
