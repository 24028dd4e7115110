//! The two halves of a network, and the network without its softmax.

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::cut::Cut;
use super::extract::{Port, extract};
use crate::NetworkDescription;
use crate::onnx::Extent;

/// A network cut in two: running one half after the other gives its logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// From the image to the activation.
    pub prefix: Vec<u8>,
    /// From the activation to the logits.
    pub suffix: Vec<u8>,
    /// Where it was cut.
    pub cut: Cut,
    /// The image: input of the prefix.
    pub input: String,
    /// The activation: output of the prefix and input of the suffix.
    pub activation: String,
    /// The logits: output of the suffix.
    pub logits: String,
}

/// The network with its logits `[N, M]` as its only output.
///
/// # Errors
/// When the file is not the described network.
pub fn expose_logits(onnx: &[u8], description: &NetworkDescription) -> Result<Vec<u8>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let image = Port::new(&description.input, anatomy.image_shape());
    let logits = Port::new(&description.logits, anatomy.logits_shape());
    extract(&model, &image, &logits)
}

/// Cuts the network in two.
///
/// # Errors
/// When the file is not the described network, or not the one for which `cut` was made.
pub fn split(onnx: &[u8], description: &NetworkDescription, cut: &Cut) -> Result<Split, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let stations = anatomy.stations();
    if !stations.iter().any(|station| station.tensor == cut.tensor && station.bypass.is_none()) {
        return Err(SurgeryError::OtherNetwork { tensor: cut.tensor.clone() });
    }
    let sizes = [cut.channels, cut.height, cut.width].map(Extent::Fixed);
    let image = Port::new(&description.input, anatomy.image_shape());
    let activation = Port::new(&cut.tensor, [anatomy.batch()].into_iter().chain(sizes).collect());
    let logits = Port::new(&description.logits, anatomy.logits_shape());
    Ok(Split {
        prefix: extract(&model, &image, &activation)?,
        suffix: extract(&model, &activation, &logits)?,
        cut: cut.clone(),
        input: image.tensor,
        activation: activation.tensor,
        logits: logits.tensor,
    })
}
