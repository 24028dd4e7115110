//! The trained network as a file again.

use gifthorse_network::onnx::initializers::replace_f32;
use prost::Message as _;

use super::{Network, prepare};
use crate::array;
use crate::error::{At as _, TrainingError};

impl Network {
    /// `model.onnx` with the numbers this network has now, stored statistics included, and with the masks that
    /// are in force as multiplications.
    ///
    /// All names are those of the file that was loaded, so its description still describes it. Whoever
    /// publishes the file compares it with this network in the inference engine first.
    ///
    /// # Errors
    /// [`TrainingError::Network`] when a tensor does not fit its place.
    pub fn to_onnx(&self) -> Result<Vec<u8>, TrainingError> {
        let mut model = self.model.clone();
        let mut graph = model.graph.take().unwrap_or_default();
        for (parameter, tensor) in self.stored() {
            let values = array::to_array(tensor).at(&parameter.name)?;
            replace_f32(&mut graph, &parameter.name, values.view())?;
        }
        for (tensor, kept) in self.masks()? {
            let mask: Vec<f32> = kept.iter().map(|kept| if *kept { 1.0 } else { 0.0 }).collect();
            graph = prepare::insert_mask(graph, &tensor, &mask);
        }
        model.graph = Some(graph);
        Ok(model.encode_to_vec())
    }
}
