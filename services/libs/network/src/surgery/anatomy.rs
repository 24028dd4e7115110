//! How the image gets through a network to its logits.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::SurgeryError;
use super::orientation::layouts;
use crate::onnx::check::{self, opset};
use crate::onnx::messages::{GraphProto, ModelProto, NodeProto};
use crate::onnx::shapes::{Shapes, Size};
use crate::onnx::{Extent, Limits, decode};
use crate::{Layout, NetworkDescription};

/// Decodes `model.onnx`.
pub(super) fn open(onnx: &[u8]) -> Result<ModelProto, SurgeryError> {
    Ok(decode(onnx, &Limits::default())?)
}

/// A network with the nodes told apart that the image passes on its way to the logits.
#[derive(Debug)]
pub(super) struct Anatomy<'a> {
    pub(super) graph: &'a GraphProto,
    pub(super) description: &'a NetworkDescription,
    pub(super) shapes: Shapes<'a>,
    /// The nodes on a way from the image to the logits, in an order in which they can run.
    pub(super) path: Vec<&'a NodeProto>,
    /// Which axis of a picture holds the channels, where that is certain.
    pub(super) layouts: HashMap<&'a str, Layout>,
    /// Which node makes a tensor.
    makers: HashMap<&'a str, &'a NodeProto>,
}

/// A tensor on the way from the image to the logits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Station<'a> {
    pub(super) tensor: &'a str,
    pub(super) maker: &'a NodeProto,
    /// A tensor by which the image reaches the logits without this one; none when there is no such way.
    pub(super) bypass: Option<&'a str>,
}

impl<'a> Anatomy<'a> {
    /// Checks the network and follows the image through it.
    ///
    /// # Errors
    /// [`SurgeryError::Network`] for a file that an import would not have made, and
    /// [`SurgeryError::OtherNetwork`] when the description is of another network.
    pub(super) fn of(
        model: &'a ModelProto,
        description: &'a NetworkDescription,
    ) -> Result<Self, SurgeryError> {
        let graph = check::check(model)?;
        let input = description.input.as_str();
        let other = |tensor: &str| SurgeryError::OtherNetwork { tensor: tensor.to_owned() };
        if !graph.input.iter().any(|found| found.name == input) {
            return Err(other(input));
        }
        let batch = if description.dynamic_batch { Size::Batch } else { Size::Fixed(1) };
        let sizes = image_sizes(description).map(Size::Fixed);
        let shape = [batch].into_iter().chain(sizes).collect();
        let shapes = Shapes::infer(graph, input, shape, opset(model).unwrap_or_default());
        for tensor in [&description.logits, &description.output] {
            if !shapes.is_from_image(tensor) {
                return Err(other(tensor));
            }
        }
        let made =
            graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        let makers: HashMap<_, _> = made.filter(|(name, _)| !name.is_empty()).collect();
        let path = path(graph, &shapes, &description.logits);
        let layouts = layouts(description, &path);
        Ok(Self { graph, description, shapes, path, layouts, makers })
    }

    /// The node that makes the tensor; none for the image and for stored weights.
    pub(super) fn maker(&self, tensor: &str) -> Option<&'a NodeProto> {
        self.makers.get(tensor).copied()
    }

    /// The batch axis of the image.
    pub(super) fn batch(&self) -> Extent {
        if self.description.dynamic_batch { Extent::batch() } else { Extent::Fixed(1) }
    }

    /// All axes of the image.
    pub(super) fn image_shape(&self) -> Vec<Extent> {
        let sizes = image_sizes(self.description).map(Extent::Fixed);
        [self.batch()].into_iter().chain(sizes).collect()
    }

    /// The axes of the logits.
    pub(super) fn logits_shape(&self) -> Vec<Extent> {
        vec![self.batch(), Extent::Fixed(self.description.classes)]
    }

    /// How often each tensor made from the image is read on the way to the logits; these count as a reader.
    fn reads(&self) -> HashMap<&'a str, usize> {
        let mut reads = HashMap::from([(self.description.logits.as_str(), 1)]);
        for tensor in self.path.iter().flat_map(|node| self.image_inputs(node)) {
            *reads.entry(tensor).or_default() += 1;
        }
        reads
    }

    /// The nodes on the way to the logits that read this tensor.
    pub(super) fn readers(&self, tensor: &str) -> Vec<&'a NodeProto> {
        let reads = |node: &&&NodeProto| node.input.iter().any(|input| input == tensor);
        self.path.iter().filter(reads).copied().collect()
    }

    /// The inputs of a node that are made from the image, each once.
    fn image_inputs(&self, node: &'a NodeProto) -> BTreeSet<&'a str> {
        let inputs = node.input.iter().map(String::as_str);
        inputs.filter(|input| self.shapes.is_from_image(input)).collect()
    }

    /// How many inputs of a node are made from the image.
    pub(super) fn image_input_count(&self, node: &'a NodeProto) -> usize {
        self.image_inputs(node).len()
    }

    /// The tensors on the way to the logits, in the order in which they are made, the image left out.
    ///
    /// One pass in that order keeps the set of tensors that are still to be read. A tensor that is alone in
    /// it cannot be bypassed: whatever was made before is used up, and what is made later is made from it.
    pub(super) fn stations(&self) -> Vec<Station<'a>> {
        let mut reads = self.reads();
        let mut live = BTreeSet::from([self.description.input.as_str()]);
        let mut stations = Vec::new();
        for node in &self.path {
            for input in self.image_inputs(node) {
                let left = reads.entry(input).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    live.remove(input);
                }
            }
            let outputs = node.output.iter().map(String::as_str);
            let made: Vec<&str> = outputs.filter(|output| reads.contains_key(output)).collect();
            live.extend(made.iter().copied());
            stations.extend(made.into_iter().map(|tensor| Station {
                tensor,
                maker: node,
                bypass: live.iter().copied().find(|other| *other != tensor),
            }));
        }
        stations
    }
}

/// The nodes that depend on the image and on which the logits depend.
fn path<'a>(graph: &'a GraphProto, shapes: &Shapes<'_>, logits: &str) -> Vec<&'a NodeProto> {
    let mut needed = HashSet::from([logits]);
    let mut path = Vec::new();
    for node in graph.node.iter().rev() {
        let from_image = node.input.iter().any(|input| shapes.is_from_image(input));
        if from_image && node.output.iter().any(|output| needed.contains(output.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
            path.push(node);
        }
    }
    path.reverse();
    path
}

/// The axes of the image after the batch.
fn image_sizes(description: &NetworkDescription) -> [u64; 3] {
    let NetworkDescription { height, width, channels, .. } = *description;
    match description.layout {
        Layout::Nhwc => [height, width, channels],
        Layout::Nchw => [channels, height, width],
    }
}
