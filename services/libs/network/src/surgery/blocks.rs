//! A network whose convolutions waste no work on channels that are not there.
//!
//! ONNX Runtime convolves channels in blocks of as many as a register holds, and fills the last block up with
//! zeros. Two rewritings keep the answers and save work:
//!
//! - Channels between two convolutions are filled up here instead. What is pooled between them then stays in
//!   blocks; else it is turned to planes and back, because a pooling wants whole blocks. Answers keep every bit.
//! - Where the first convolution takes whole blocks and a rest, the rest is convolved by itself, which needs no
//!   block, and added. Answers are the same up to rounding.

use std::ops::Range;

use ndarray::{ArrayD, Axis, Slice, concatenate};
use prost::Message as _;

use super::SurgeryError;
use super::anatomy::open;
use crate::onnx::GraphBuilder;
use crate::onnx::build::tensor_f32;
use crate::onnx::check::opset;
use crate::onnx::initializers::read_f32;
use crate::onnx::messages::{GraphProto, NodeProto};

/// The oldest operators that take the limits of a slice as inputs.
const SLICE_LIMITS_ARE_INPUTS: i64 = 10;
/// Counts of channels that ONNX Runtime convolves in blocks at all are multiples of it.
const ALIGNED: usize = 4;
/// The axis of a weight along which channels are made.
const MADE: Axis = Axis(0);
/// The one along which they are taken; of an activation too.
const TAKEN: Axis = Axis(1);

/// The part of a network that `onnx` is, made ready for a runtime that convolves in blocks of so many channels.
///
/// # Errors
/// When the file cannot be read.
pub fn in_blocks(onnx: &[u8], block: usize) -> Result<Vec<u8>, SurgeryError> {
    let mut model = open(onnx)?;
    let sliced = opset(&model).is_some_and(|version| version >= SLICE_LIMITS_ARE_INPUTS);
    let Some(graph) = model.graph.as_mut().filter(|_| sliced && block > 1) else { return Ok(onnx.to_vec()) };
    // Their shapes would be others.
    graph.value_info.clear();
    // One after the other: each may add a node, and none is found twice.
    for _ in 0..graph.node.len() {
        let found = (0..graph.node.len()).find_map(|place| Filled::of(graph, place, block));
        let Some(filled) = found else { break };
        filled.fill(graph);
    }
    let divided = (0..graph.node.len()).find_map(|place| Divided::of(graph, place, block));
    if let Some(divided) = divided {
        divided.divide(graph);
    }
    Ok(model.encode_to_vec())
}

/// A two-dimensional convolution in one group, with weights of its own.
struct Convolution<'a> {
    input: &'a str,
    output: &'a str,
    weight: &'a str,
    /// Empty for none.
    bias: &'a str,
    made: usize,
    taken: usize,
}

impl<'a> Convolution<'a> {
    fn of(graph: &'a GraphProto, node: &'a NodeProto) -> Option<Self> {
        if !node.is_standard("Conv") || node.int("group").is_some_and(|groups| groups != 1) {
            return None;
        }
        let [input, weight, rest @ ..] = node.input.as_slice() else { return None };
        let bias = rest.first().map_or("", String::as_str);
        let own =
            |name: &str| uses(graph, name) == 1 && graph.initializer.iter().any(|tensor| tensor.name == name);
        if !own(weight) || !(bias.is_empty() || own(bias)) {
            return None;
        }
        let [made, taken, _, _] = *read_f32(graph, weight).ok()?.shape() else { return None };
        if !bias.is_empty() && read_f32(graph, bias).ok()?.shape() != [made] {
            return None;
        }
        Some(Self { input, output: node.output.first()?, weight, bias, made, taken })
    }
}

/// A convolution whose channels are filled up as far as the next convolutions.
struct Filled {
    weights: Vec<(String, Axis)>,
    /// What is pooled, and the nodes that read it but are no convolutions: they want no more channels.
    pooled: String,
    others: Vec<usize>,
    channels: usize,
    full: usize,
}

impl Filled {
    /// None for a node that is no such convolution, or for which it does not pay.
    fn of(graph: &GraphProto, place: usize, block: usize) -> Option<Self> {
        let first = Convolution::of(graph, &graph.node[place])?;
        let (channels, full) = (first.made, first.made.next_multiple_of(block));
        if channels < block || channels == full || channels % ALIGNED != 0 {
            return None;
        }
        let pooled = pooled(graph, first.output)?;
        let mut weights = vec![(first.weight.to_owned(), MADE)];
        if !first.bias.is_empty() {
            weights.push((first.bias.to_owned(), MADE));
        }
        let mut others = Vec::new();
        for (place, node) in graph.node.iter().enumerate().filter(|(_, node)| reads(node, pooled)) {
            match Convolution::of(graph, node) {
                Some(next) if next.input == pooled && next.taken == channels => {
                    weights.push((next.weight.to_owned(), TAKEN));
                }
                _ => others.push(place),
            }
        }
        let pays = weights.iter().any(|(_, axis)| *axis == TAKEN);
        pays.then(|| Self { weights, pooled: pooled.to_owned(), others, channels, full })
    }

    fn fill(self, graph: &mut GraphProto) {
        for (name, axis) in &self.weights {
            let Ok(values) = read_f32(graph, name) else { continue };
            let mut missing = values.shape().to_vec();
            missing[axis.index()] = self.full - self.channels;
            let zeros = ArrayD::zeros(missing);
            let Ok(full) = concatenate(*axis, &[values.view(), zeros.view()]) else { continue };
            for stored in graph.initializer.iter_mut().filter(|tensor| tensor.name == *name) {
                *stored = tensor_f32(name, full.view());
            }
        }
        let (Some(first), Some(maker)) =
            (self.others.first(), graph.node.iter().position(|node| node.output.contains(&self.pooled)))
        else {
            return;
        };
        debug_assert!(maker < *first);
        let mut own = String::new();
        added(graph, |builder| own = channels(builder, &self.pooled, 0..self.channels));
        for place in self.others {
            for input in graph.node[place].input.iter_mut().filter(|input| **input == self.pooled) {
                input.clone_from(&own);
            }
        }
        let slice = graph.node.len() - 1;
        graph.node[maker + 1..=slice].rotate_right(1);
    }
}

/// A convolution of what the part is given, that takes whole blocks and a rest.
struct Divided {
    place: usize,
    blocks: usize,
    taken: usize,
}

impl Divided {
    /// None for a node that is no such convolution, or whose last block is nearly full: the sum has its price.
    fn of(graph: &GraphProto, place: usize, block: usize) -> Option<Self> {
        let found = Convolution::of(graph, &graph.node[place])?;
        let taken = found.taken;
        let blocks = taken / block * block;
        let pays = blocks > 0 && taken.next_multiple_of(block) * 4 >= taken * 5;
        let given = graph.input.iter().any(|input| input.name == found.input);
        (pays && given && found.made % ALIGNED == 0).then_some(Self { place, blocks, taken })
    }

    fn divide(self, graph: &mut GraphProto) {
        let whole = graph.node[self.place].clone();
        let [input, weight, bias @ ..] = whole.input.as_slice() else { return };
        let Ok(values) = read_f32(graph, weight) else { return };
        let (Some(output), before) = (whole.output.first(), graph.node.len()) else { return };
        let sides = [0..self.blocks, self.blocks..self.taken];
        added(graph, |builder| {
            let [blocks, rest] = sides.map(|side| {
                let own = values.slice_axis(TAKEN, Slice::from(side.clone()));
                let own = builder.initializer_f32(&format!("{weight}.part"), own);
                let given = channels(builder, input, side.clone());
                let mut inputs = vec![given.as_str(), own.as_str()];
                if side.start == 0 {
                    inputs.extend(bias.iter().map(String::as_str));
                }
                builder.node("Conv", &format!("{output}.part"), &inputs, whole.attribute.clone())
            });
            builder.node("Add", &format!("{output}.sum"), &[&blocks, &rest], Vec::new());
        });
        if let Some(made) = graph.node.last_mut().and_then(|sum| sum.output.first_mut()) {
            made.clone_from(output);
        }
        let new = graph.node.split_off(before);
        graph.node.splice(self.place..=self.place, new);
        graph.initializer.retain(|tensor| tensor.name != *weight);
    }
}

/// What comes of a tensor behind rectifiers and at least one pooling, as long as nothing else reads it.
fn pooled<'a>(graph: &'a GraphProto, tensor: &'a str) -> Option<&'a str> {
    let (mut tensor, mut pooled) = (tensor, None);
    while uses(graph, tensor) == 1 {
        let next = graph.node.iter().find(|node| reads(node, tensor))?;
        let [made] = next.output.as_slice() else { break };
        match next.op_type.as_str() {
            "Relu" => {}
            "MaxPool" => pooled = Some(made.as_str()),
            _ => break,
        }
        tensor = made;
    }
    // A rectifier behind the last pooling belongs to it.
    pooled.map(|_| tensor).filter(|tensor| !graph.output.iter().any(|output| output.name == *tensor))
}

/// Some of the channels of a tensor.
fn channels(builder: &mut GraphBuilder, tensor: &str, range: Range<usize>) -> String {
    let [start, end, axis] = [("start", range.start), ("end", range.end), ("axis", TAKEN.index())]
        .map(|(what, value)| builder.initializer_i64(&format!("{tensor}.{what}"), &[value as i64]));
    builder.node("Slice", &format!("{tensor}.channels"), &[tensor, &start, &end, &axis], Vec::new())
}

/// Adds nodes at the end of a graph.
fn added(graph: &mut GraphProto, add: impl FnOnce(&mut GraphBuilder)) {
    let mut builder = GraphBuilder::extending(std::mem::take(graph));
    add(&mut builder);
    *graph = builder.into_graph();
}

fn reads(node: &NodeProto, tensor: &str) -> bool {
    node.input.iter().any(|input| input == tensor)
}

/// How often a tensor is read, the outputs of the graph among the readers.
fn uses(graph: &GraphProto, tensor: &str) -> usize {
    let inputs = graph.node.iter().flat_map(|node| &node.input);
    let outputs = graph.output.iter().map(|output| &output.name);
    inputs.chain(outputs).filter(|name| *name == tensor).count()
}

#[cfg(test)]
mod tests {
    use super::super::first_convolution;
    use super::super::fixture::{Net, residual};
    use super::*;
    use crate::Imported;
    use crate::onnx::messages::ModelProto;
    use crate::onnx::{Extent, check};

    /// Convolutions of so many channels with poolings between them; what the second makes is read twice.
    fn tower(channels: [usize; 4]) -> Imported {
        let mut net = Net::new(Extent::batch(), [3, 16, 16]);
        let mut input = net.image.clone();
        let mut taken = 3;
        for (number, made) in channels.into_iter().take(3).enumerate() {
            let made_here = net.conv(&format!("conv{number}"), &input, [made, taken, 3]);
            let positive = net.node("Relu", &format!("relu{number}"), &[&made_here]);
            (input, taken) = (net.pool(&format!("pool{number}"), &positive), made);
        }
        let last = net.conv("conv3", &input, [channels[3], taken, 1]);
        let [one, two] =
            [("flat", &input), ("last", &last)].map(|(name, from)| net.node("Flatten", name, &[from]));
        let one = net.dense("fc_1", &one, [7, channels[2] * 4]);
        let two = net.dense("fc_2", &two, [7, channels[3] * 4]);
        let logits = net.node("Add", "sum", &[&one, &two]);
        net.finish(&logits, 7, None)
    }

    fn pooled_back(network: &Imported) -> Vec<u8> {
        first_convolution(&network.onnx, &network.description).unwrap().unwrap().pooled.unwrap().back
    }

    fn graph(bytes: &[u8]) -> GraphProto {
        let model = ModelProto::decode(bytes).unwrap();
        check(&model).unwrap();
        model.graph.unwrap()
    }

    fn named<'a>(graph: &'a GraphProto, name: &str) -> &'a NodeProto {
        graph.node.iter().find(|node| node.name == name).unwrap()
    }

    #[test]
    fn channels_between_convolutions_are_filled_up_and_a_rest_is_convolved_by_itself() {
        let back = pooled_back(&tower([20, 40, 60, 80]));
        let before = graph(&back);
        let graph = graph(&in_blocks(&back, 16).unwrap());
        let shape = |name: &str| read_f32(&graph, name).unwrap().shape().to_vec();
        assert_eq!(shape("conv1.weight.part"), [48, 16, 3, 3]);
        assert_eq!(shape("conv1.weight.part_1"), [48, 4, 3, 3]);
        assert_eq!(shape("conv1.bias"), [48]);
        assert_eq!(shape("conv2.weight"), [64, 48, 3, 3]);
        assert_eq!(shape("conv3.weight"), [80, 64, 1, 1]);
        assert_eq!(shape("fc_1.weight"), [7, 240], "only convolutions take more channels");
        let [blocks, rest] = ["conv1.part", "conv1.part_1"].map(|name| named(&graph, name));
        assert_eq!((blocks.input.len(), rest.input.len()), (3, 2), "one bias");
        assert_eq!(blocks.attribute, named(&before, "conv1").attribute);
        assert_eq!(named(&graph, "relu1").input, ["conv1"]);
        assert_eq!(named(&graph, "conv3").input[0], "pool2");
        assert_eq!(named(&graph, "flat").input, ["pool2.channels"]);
        assert_eq!((&graph.input, &graph.output), (&before.input, &before.output));
        for name in ["conv1.weight", "conv2.weight"] {
            let (old, mut new) = (read_f32(&before, name).unwrap(), Vec::new());
            for stored in graph.initializer.iter().filter(|tensor| tensor.name.starts_with(name)) {
                new.push(read_f32(&graph, &stored.name).unwrap());
            }
            let views: Vec<_> = new.iter().map(|part| part.view()).collect();
            let new = concatenate(TAKEN, &views).unwrap();
            for (place, value) in new.indexed_iter() {
                let wanted = old.get(place.clone()).copied().unwrap_or(0.0);
                assert_eq!(value.to_bits(), wanted.to_bits(), "{name} {place:?}");
            }
        }
    }

    #[test]
    fn a_network_without_waste_stays_as_it_is() {
        for (channels, block) in [([16, 32, 64, 80], 16), ([20, 40, 64, 80], 8), ([20, 40, 60, 80], 1)] {
            let back = pooled_back(&tower(channels));
            assert_eq!(graph(&in_blocks(&back, block).unwrap()), graph(&back), "{channels:?} {block}");
        }
        // Nothing is pooled between these, so ONNX Runtime keeps them in blocks itself.
        let network = residual();
        assert_eq!(graph(&in_blocks(&network.onnx, 16).unwrap()).node, graph(&network.onnx).node);
    }
}
