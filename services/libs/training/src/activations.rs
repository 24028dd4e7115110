//! What tensors inside a network hold.

use ndarray::{ArrayD, ArrayViewD};

use crate::array;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;
use crate::operators::Pass;

impl Network {
    /// What these tensors hold for images `[N, ...]`, as the network runs in service, in the order asked for.
    ///
    /// # Errors
    /// [`TrainingError::NoSuchTensor`] for a tensor that no node on the way to the logits makes, and
    /// [`TrainingError::Shape`] when the images are not of the network's size.
    pub fn activations(
        &self,
        images: ArrayViewD<'_, f32>,
        tensors: &[&str],
    ) -> Result<Vec<ArrayD<f32>>, TrainingError> {
        let _no_gradients = tch::no_grad_guard();
        let places = tensors.iter().map(|tensor| self.place_of(tensor)).collect::<Result<Vec<_>, _>>()?;
        let made = self.run_to(&self.images(&images)?, &places, &Pass::serving())?;
        made.iter().zip(tensors).map(|(made, tensor)| array::to_array(made).at(tensor)).collect()
    }
}
