//! Every activation whose channels can be told apart, also those that a part of the network goes around.

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::cut::{self, Cut};
use crate::NetworkDescription;

/// An activation `[N, channels, height, width]` on the way from the image to the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Where it is and how large.
    pub at: Cut,
    /// A tensor by which the image reaches the logits without this one; none when there is no such way.
    pub bypass: Option<String>,
}

/// The activations behind the first convolution that carry the name of a layer, in the order in which they are
/// made.
///
/// # Errors
/// When the file is not the described network.
pub fn activations(onnx: &[u8], description: &NetworkDescription) -> Result<Vec<Activation>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let mut convolved = false;
    let mut found = Vec::new();
    for station in anatomy.stations() {
        convolved |= station.maker.op_type == "Conv";
        if !convolved || !description.layers.iter().any(|layer| layer.tensor == station.tensor) {
            continue;
        }
        if let Some(at) = cut::activation(&anatomy, &station) {
            found.push(Activation { at, bypass: station.bypass.map(str::to_owned) });
        }
    }
    Ok(found)
}
