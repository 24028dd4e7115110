//! Feature shift tuning (Min et al., NeurIPS 2023): the output layer starts anew and is pushed away from what it was,
//! so that the layers before it cannot stay where the attacker left them.

use ndarray::ArrayD;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::Tensor;

use super::recipe::Recipe;
use crate::array;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;

/// The stream of the seed from which the new output layer is drawn; epochs use those from 0 on.
const STREAM: u64 = u64::MAX;

/// What pushes the output layer.
#[derive(Debug)]
pub(super) struct Shift {
    /// The tensor of its weights.
    name: String,
    /// What they were.
    original: Tensor,
    /// The length they had, and keep.
    length: f64,
    /// How hard it is pushed.
    strength: f64,
}

impl Shift {
    /// Looks at the output layer of a network that nothing has been done to yet; none where the recipe shifts
    /// nothing.
    ///
    /// # Errors
    /// [`TrainingError::NoSuchTensor`] when the network has no such tensor.
    pub(super) fn of(network: &Network, recipe: &Recipe) -> Result<Option<Self>, TrainingError> {
        let Some(shift) = &recipe.feature_shift else { return Ok(None) };
        let weights = network.weight(&shift.head)?;
        let length = length(&weights);
        let original = array::to_tensor(&weights.view().into_dyn(), network.torch()).at(&shift.head)?;
        Ok(Some(Self { name: shift.head.clone(), original, length, strength: shift.strength }))
    }

    /// Draws the output layer anew, as long as it was.
    pub(super) fn begin(&self, network: &mut Network, seed: u64) -> Result<(), TrainingError> {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(STREAM);
        // -1 to 1, symmetric about zero.
        let drawn = |_| ((chance.next_u32() >> 8) as f32 + 0.5) / (1 << 23) as f32 - 1.0;
        let shape: Vec<usize> = self.original.size().iter().map(|size| *size as usize).collect();
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(drawn).collect();
        let mut values = ArrayD::from_shape_vec(shape, values).map_err(|error| TrainingError::Torch {
            place: self.name.clone(),
            source: tch::TchError::Shape(error.to_string()),
        })?;
        let factor = (self.length / length(&values).max(f64::MIN_POSITIVE)) as f32;
        values *= factor;
        network.set_weight(&self.name, values.view())
    }

    /// Adds what pushes to the gradients, which are in the order of the trained tensors: the slope of
    /// `strength * sum(W * original)`.
    pub(super) fn push(&self, network: &Network, gradients: &mut [Tensor]) -> Result<(), TrainingError> {
        let place = network.trained().position(|(parameter, _)| parameter.name == self.name);
        if let Some(gradient) = place.and_then(|place| gradients.get_mut(place)) {
            let push = self.original.f_mul_scalar(self.strength).at(&self.name)?;
            *gradient = gradient.f_add(&push).at(&self.name)?;
        }
        Ok(())
    }

    /// Makes the output layer as long as it was.
    pub(super) fn rescale(&self, network: &Network) -> Result<(), TrainingError> {
        let _no_gradients = tch::no_grad_guard();
        let Some((_, weight)) = network.trained().find(|(parameter, _)| parameter.name == self.name) else {
            return Ok(());
        };
        let now = weight.f_norm().and_then(|norm| norm.f_double_value(&[])).at(&self.name)?;
        if now > 0.0 {
            let scaled = weight.f_detach().and_then(|mut weight| weight.f_mul_scalar_(self.length / now));
            scaled.map(drop).at(&self.name)?;
        }
        Ok(())
    }
}

fn length(values: &ArrayD<f32>) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}
