//! The linear layers that are nearest to the image.

use serde::{Deserialize, Serialize};

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use crate::NetworkDescription;
use crate::onnx::initializers::read_f32;
use crate::onnx::messages::NodeProto;
use crate::onnx::shapes::without_batch;

/// A linear layer: `features * weights`, with whatever is added behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearLayer {
    /// The features `[N, F]` it reads.
    pub features: String,
    /// Count of them.
    pub inputs: usize,
    /// The constant that holds its weights.
    pub weights: String,
    /// Whether the weights lie `[outputs, inputs]`, not `[inputs, outputs]`.
    pub turned: bool,
}

/// Linear layers whose results are added up: one linear function of all their features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearSum {
    /// The sum `[N, K]`, before any activation function.
    pub tensor: String,
    /// K.
    pub outputs: usize,
    /// Its layers, in the order in which they are added.
    pub layers: Vec<LinearLayer>,
}

/// The linear layers that no other linear layer comes before, those that are added up together; never the one
/// that makes the logits. In the face networks of the course these are `fc_1` and `fc_2`, which are one sum.
///
/// # Errors
/// [`SurgeryError::NoLinearLayer`] where there are none; others when the file is not the described network.
pub fn first_linear(onnx: &[u8], description: &NetworkDescription) -> Result<Vec<LinearSum>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let mut sums: Vec<LinearSum> = Vec::new();
    for station in anatomy.stations() {
        let Some(layers) = sum(&anatomy, station.tensor) else { continue };
        let sizes = anatomy.shapes.of(station.tensor).and_then(without_batch);
        let Some(&[outputs]) = sizes.as_deref() else { continue };
        if station.tensor == description.logits || behind(&anatomy, &layers, &sums) {
            continue;
        }
        // What is added up further replaces its parts.
        sums.retain(|known| known.layers.iter().any(|layer| !layers.contains(layer)));
        sums.push(LinearSum { tensor: station.tensor.to_owned(), outputs: outputs as usize, layers });
    }
    let head = sum(&anatomy, &description.logits).unwrap_or_default();
    sums.retain(|known| known.layers.iter().all(|layer| !head.contains(layer)));
    if sums.is_empty() { Err(SurgeryError::NoLinearLayer) } else { Ok(sums) }
}

/// The layers whose sum a tensor is; none when it is something else.
fn sum(anatomy: &Anatomy<'_>, tensor: &str) -> Option<Vec<LinearLayer>> {
    let node = anatomy.maker(tensor)?;
    match node.op_type.as_str() {
        "Gemm" | "MatMul" => Some(vec![layer(anatomy, node)?]),
        "Identity" => sum(anatomy, node.input.first()?),
        "Add" => {
            let [one, other] = node.input.as_slice() else { return None };
            let is_constant = |tensor: &String| anatomy.shapes.constant_named(tensor).is_some();
            match (is_constant(one), is_constant(other)) {
                (false, true) => sum(anatomy, one),
                (true, false) => sum(anatomy, other),
                _ => {
                    let mut layers = sum(anatomy, one)?;
                    layers.extend(sum(anatomy, other)?);
                    Some(layers)
                }
            }
        }
        _ => None,
    }
}

fn layer(anatomy: &Anatomy<'_>, node: &NodeProto) -> Option<LinearLayer> {
    let [features, weights, ..] = node.input.as_slice() else { return None };
    let plain = |name: &str| node.float(name).is_none_or(|factor| factor.to_bits() == 1.0_f32.to_bits());
    let values = read_f32(anatomy.graph, weights).ok()?;
    let [rows, columns] = *values.shape() else { return None };
    let turned = node.int("transB").unwrap_or(0) != 0;
    let fits = anatomy.shapes.is_from_image(features)
        && plain("alpha")
        && node.int("transA").unwrap_or(0) == 0
        && anatomy.shapes.of(features).and_then(without_batch).is_some_and(|sizes| sizes.len() == 1);
    let inputs = if turned { columns } else { rows };
    fits.then(|| LinearLayer { features: features.clone(), inputs, weights: weights.clone(), turned })
}

/// Whether some layer reads features that are made from a sum that is known already.
fn behind(anatomy: &Anatomy<'_>, layers: &[LinearLayer], sums: &[LinearSum]) -> bool {
    let mut left: Vec<&str> = layers.iter().map(|layer| layer.features.as_str()).collect();
    let mut seen = std::collections::HashSet::new();
    while let Some(tensor) = left.pop() {
        if sums.iter().any(|known| known.tensor == tensor) {
            return true;
        }
        if let Some(node) = anatomy.maker(tensor).filter(|_| seen.insert(tensor)) {
            left.extend(node.input.iter().map(String::as_str));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surgery::fixture::{bypassed, chain, channels_last, residual};

    fn weights(network: &crate::Imported) -> Vec<Vec<String>> {
        let sums = first_linear(&network.onnx, &network.description).unwrap();
        sums.iter().map(|sum| sum.layers.iter().map(|layer| layer.weights.clone()).collect()).collect()
    }

    #[test]
    fn layers_that_are_added_up_are_one() {
        let network = bypassed();
        let sums = first_linear(&network.onnx, &network.description).unwrap();
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].outputs, sums[0].layers.len()), (7, 2));
        assert_eq!(sums[0].layers.iter().map(|layer| layer.inputs).collect::<Vec<_>>(), [96, 64]);
        assert_eq!(weights(&chain()).concat().len(), 1, "the head is left out");
    }

    #[test]
    fn a_network_with_nothing_but_a_head_is_refused() {
        for network in [residual(), channels_last(false)] {
            let refused = first_linear(&network.onnx, &network.description).unwrap_err();
            assert!(matches!(refused, SurgeryError::NoLinearLayer), "{refused}");
        }
    }
}
