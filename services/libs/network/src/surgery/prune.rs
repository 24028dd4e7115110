//! Channels set to zero inside a network file, for good.

use ndarray::{ArrayD, Axis};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::insert::insert_behind;
use super::site::PruningSite;
use crate::NetworkDescription;
use crate::onnx::check::node_name;
use crate::onnx::initializers::{read_f32, replace_f32};
use crate::onnx::messages::{GraphProto, NodeProto};

/// A network some of whose channels are zero whatever its input is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedNetwork {
    /// The file. Inputs, outputs and the names of its layers' tensors are those of the network it came from.
    pub onnx: Vec<u8>,
    /// What was done; none when there were no channels to prune.
    pub done: Option<PrunedAt>,
}

/// How channels were made zero. Nodes are named as in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PrunedAt {
    /// Kernels and biases of a convolution were set to zero; nothing on the way from there to the pruned
    /// activation makes anything else of a zero.
    Convolution {
        /// The convolution.
        node: String,
    },
    /// Scales and shifts of a normalisation were set to zero, likewise.
    Normalization {
        /// The normalisation.
        node: String,
    },
    /// Entries of a mask that was there already were set to zero, likewise.
    Mask {
        /// The multiplication.
        node: String,
    },
    /// A multiplication by a mask was put behind the activation, because what makes it feeds something else
    /// too, or makes something of a zero.
    InsertedMask {
        /// The new multiplication.
        node: String,
    },
}

/// Sets channels of an activation to zero. The other channels keep their values to the bit.
///
/// The result needs no operator that the network did not have where that can be: the walk goes back from the
/// activation over poolings and element-wise functions that keep a zero, as long as nothing else reads what
/// is passed, to a convolution or normalisation with weights of its own. Elsewhere a `Mul` by a constant
/// `[1, channels, 1, 1]` is inserted. A normalisation is masked itself, not the convolution before it, whose
/// zeros it would shift.
///
/// # Errors
/// [`SurgeryError::NoSuchChannel`]; others when the file is not the described network, or not the one for
/// which `site` was made.
pub fn prune_channels(
    onnx: &[u8],
    description: &NetworkDescription,
    site: &PruningSite,
    channels: &[usize],
) -> Result<PrunedNetwork, SurgeryError> {
    let mut model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let tensor = site.cut.tensor.as_str();
    if !anatomy.stations().iter().any(|station| station.tensor == tensor) {
        return Err(SurgeryError::OtherNetwork { tensor: tensor.to_owned() });
    }
    let count = site.cut.channels;
    if let Some(channel) = channels.iter().copied().find(|channel| *channel as u64 >= count) {
        let layer = site.cut.layer.clone();
        return Err(SurgeryError::NoSuchChannel { layer, channel, channels: count });
    }
    if channels.is_empty() {
        return Ok(PrunedNetwork { onnx: onnx.to_vec(), done: None });
    }
    let plan = plan(&anatomy, tensor, count as usize);
    let Some(graph) = model.graph.as_mut() else {
        return Err(SurgeryError::OtherNetwork { tensor: tensor.to_owned() });
    };
    let done = match plan {
        Some(Plan { weights, done }) => {
            for name in weights {
                let mut values = read_f32(graph, &name)?;
                zero(&mut values, count as usize, channels);
                replace_f32(graph, &name, values.view())?;
            }
            done
        }
        None => insert_mask(graph, tensor, count as usize, channels),
    };
    Ok(PrunedNetwork { onnx: model.encode_to_vec(), done: Some(done) })
}

/// Constants whose channels are to be zeroed.
struct Plan {
    weights: Vec<String>,
    done: PrunedAt,
}

/// Walks back to weights of which a zeroed channel makes the activation's channel zero.
fn plan(anatomy: &Anatomy<'_>, activation: &str, channels: usize) -> Option<Plan> {
    let mut tensor = activation;
    loop {
        let maker = anatomy.maker(tensor)?;
        if let Some(plan) = weights(anatomy, maker, channels) {
            return Some(plan);
        }
        let input = maker.input.first()?;
        if !keeps_zero(anatomy, maker) || uses(anatomy.graph, input) != 1 {
            return None;
        }
        tensor = input;
    }
}

/// The constants of a node that has one value, or one kernel, a channel, if they are its own and FP32.
fn weights(anatomy: &Anatomy<'_>, node: &NodeProto, channels: usize) -> Option<Plan> {
    let name = node_name(node).to_owned();
    let (places, done): (&[usize], _) = match node.op_type.as_str() {
        "Conv" => (&[1, 2], PrunedAt::Convolution { node: name }),
        "BatchNormalization" => (&[1, 2], PrunedAt::Normalization { node: name }),
        "Mul" => (&[1], PrunedAt::Mask { node: name }),
        _ => return None,
    };
    let mut weights = Vec::new();
    for place in places {
        let Some(weight) = node.input.get(*place).filter(|weight| !weight.is_empty()) else { continue };
        let values = read_f32(anatomy.graph, weight).ok()?;
        let fits = match node.op_type.as_str() {
            "Mul" => values.shape() == [1, channels, 1, 1],
            _ => values.shape().first() == Some(&channels),
        };
        if !fits || uses(anatomy.graph, weight) != 1 {
            return None;
        }
        weights.push(weight.clone());
    }
    (!weights.is_empty()).then_some(Plan { weights, done })
}

/// Whether an operator makes zeros, in the same channels, of channels of zeros.
fn keeps_zero(anatomy: &Anatomy<'_>, node: &NodeProto) -> bool {
    match node.op_type.as_str() {
        "MaxPool" | "AveragePool" | "LpPool" | "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool"
        | "Relu" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Tanh" | "HardSwish" | "Softsign" | "Gelu"
        | "Mish" | "Swish" | "ThresholdedRelu" | "Identity" | "Dropout" | "Abs" | "Neg" => true,
        "PRelu" => anatomy.image_input_count(node) == 1,
        "Clip" => {
            // Limits are attributes in older opsets and constants in newer ones; either may be absent.
            let limit = |place: usize, attribute: &str, none: f32| match node
                .input
                .get(place)
                .filter(|name| !name.is_empty())
            {
                None => Some(node.float(attribute).unwrap_or(none)),
                Some(name) => read_f32(anatomy.graph, name).ok()?.iter().next().copied(),
            };
            let low = limit(1, "min", f32::NEG_INFINITY);
            let high = limit(2, "max", f32::INFINITY);
            low.zip(high).is_some_and(|(low, high)| low <= 0.0 && high >= 0.0)
        }
        _ => false,
    }
}

/// How often a tensor is read, the outputs of the graph among the readers.
fn uses(graph: &GraphProto, tensor: &str) -> usize {
    let inputs = graph.node.iter().flat_map(|node| &node.input);
    let outputs = graph.output.iter().map(|output| &output.name);
    inputs.chain(outputs).filter(|name| *name == tensor).count()
}

/// Zeroes entries along the axis of the channels: the first one, or the second one of a mask.
fn zero(values: &mut ArrayD<f32>, channels: usize, pruned: &[usize]) {
    let axis = Axis(usize::from(values.shape() == [1, channels, 1, 1] && channels != 1));
    for channel in pruned {
        values.index_axis_mut(axis, *channel).fill(0.0);
    }
}

/// Multiplies an activation by a mask; whoever read it reads the product, under the same name.
fn insert_mask(graph: &mut GraphProto, tensor: &str, channels: usize, pruned: &[usize]) -> PrunedAt {
    let mut mask = ArrayD::from_elem(vec![1, channels, 1, 1], 1.0_f32);
    zero(&mut mask, channels, pruned);
    let node = insert_behind(graph, tensor, "Mul", ["unpruned", "mask", "pruned"], mask.view());
    PrunedAt::InsertedMask { node }
}
