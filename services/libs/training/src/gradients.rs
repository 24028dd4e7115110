//! Gradients for those who ask for them, apart from any training.

use ndarray::ArrayD;

use crate::array;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;
use crate::mode::Mode;
use crate::operators::{Noise, Pass};
use crate::trainer::{Batch, slope};

/// The loss of a batch and its gradient for every trained tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// Mean cross entropy, in nats.
    pub loss: f64,
    /// Name of the initializer, and the gradient in its shape.
    pub of: Vec<(String, ArrayD<f32>)>,
}

impl Network {
    /// Loss and gradients of a batch. Nothing changes; dropout, where `mode` asks for it, draws as the first
    /// step of a training with this seed would.
    ///
    /// # Errors
    /// All that can be wrong with a batch.
    pub fn gradients(
        &self,
        batch: &Batch,
        label_smoothing: f64,
        mode: Mode,
        seed: u64,
    ) -> Result<Gradients, TrainingError> {
        let pass = Pass::training(mode, Noise { seed, step: 0 }, false);
        let slope = slope(self, batch, label_smoothing, &pass)?;
        let named = self.trained().zip(&slope.gradients).map(|((parameter, _), gradient)| {
            Ok((parameter.name.clone(), array::to_array(gradient).at(&parameter.name)?))
        });
        Ok(Gradients { loss: slope.loss, of: named.collect::<Result<_, TrainingError>>()? })
    }
}
