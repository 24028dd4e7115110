//! Shapes of the tensors in a checked graph, as far as the usual operators of image classifiers tell them.
//!
//! The batch axis is carried through as a symbol of its own. That is how the import proves that a network
//! exported for one image takes any number of them: on the way from the image to the output every tensor
//! keeps the batch as its first axis and nowhere else.

mod joining;
mod operators;
mod reshaping;
mod values;
mod windows;

use std::collections::{HashMap, HashSet};

use super::check::{MOST_AXES, element_count, node_name};
use super::messages::{GraphProto, NodeProto, TensorProto};

/// Size of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// This many.
    Fixed(u64),
    /// One an image.
    Batch,
    /// Not known here.
    Unknown,
}

/// Sizes of all axes of a tensor.
pub(crate) type Shape = Vec<Size>;

/// Whether the network takes any number of images at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BatchAxis {
    /// Proven to be free.
    Free,
    /// Not followed through this node, by name.
    Unproven(String),
    /// Fixed to this many images by this node.
    FixedBy(String, u64),
}

/// What is known about the tensors of a graph.
#[derive(Debug)]
pub(crate) struct Shapes<'a> {
    sizes: HashMap<&'a str, Shape>,
    values: HashMap<&'a str, Vec<values::Value>>,
    constants: HashMap<&'a str, &'a TensorProto>,
    from_image: HashSet<&'a str>,
    batch: BatchAxis,
}

impl<'a> Shapes<'a> {
    /// Follows a tensor of `shape`, the image input, through the graph.
    pub(crate) fn infer(graph: &'a GraphProto, input: &'a str, shape: Shape, opset: i64) -> Self {
        let mut shapes = Self {
            sizes: HashMap::new(),
            values: HashMap::new(),
            constants: HashMap::new(),
            from_image: HashSet::from([input]),
            batch: BatchAxis::Free,
        };
        for tensor in &graph.initializer {
            shapes.constant(&tensor.name, tensor);
        }
        shapes.sizes.insert(input, shape);
        for node in &graph.node {
            shapes.node(node, opset);
        }
        shapes
    }

    /// Shape of the tensor, where its rank is known.
    pub(crate) fn of(&self, tensor: &str) -> Option<&[Size]> {
        self.sizes.get(tensor).map(Vec::as_slice)
    }

    /// Whether the tensor is computed from the image.
    pub(crate) fn is_from_image(&self, tensor: &str) -> bool {
        self.from_image.contains(tensor)
    }

    /// The constant of this name, an initializer or the value of a Constant node.
    pub(crate) fn constant_named(&self, tensor: &str) -> Option<&'a TensorProto> {
        self.constants.get(tensor).copied()
    }

    /// Whether any number of images can go through.
    pub(crate) fn batch(&self) -> &BatchAxis {
        &self.batch
    }

    fn constant(&mut self, name: &'a str, tensor: &'a TensorProto) {
        self.sizes.insert(name, tensor.dims.iter().map(|size| Size::Fixed(*size as u64)).collect());
        self.constants.insert(name, tensor);
        if let Some(values) = values::of_constant(tensor) {
            self.values.insert(name, values);
        }
    }

    fn node(&mut self, node: &'a NodeProto, opset: i64) {
        let Some(output) = node.output.first().map(String::as_str) else { return };
        if node.is_standard("Constant") {
            if let Some(value) = node.attribute_named("value").and_then(|attribute| attribute.t.as_ref()) {
                self.constant(output, value);
            }
            return;
        }
        if let Some(values) = values::of_node(self, node) {
            self.sizes.insert(output, vec![Size::Fixed(values.len() as u64)]);
            self.values.insert(output, values);
            return;
        }
        let shape = match operators::shape(self, node, opset) {
            operators::Answer::Shape(shape) => (shape.len() <= MOST_AXES).then_some(shape),
            operators::Answer::Unknown => None,
            operators::Answer::FixesBatch(count) => {
                if !matches!(self.batch, BatchAxis::FixedBy(..)) {
                    self.batch = BatchAxis::FixedBy(node_name(node).to_owned(), count);
                }
                None
            }
        };
        if node.input.iter().any(|input| self.from_image.contains(input.as_str())) {
            self.from_image.extend(node.output.iter().map(String::as_str));
            let carried = shape.as_deref().is_some_and(carries_batch);
            if !carried && self.batch == BatchAxis::Free {
                self.batch = BatchAxis::Unproven(node_name(node).to_owned());
            }
        }
        if let Some(shape) = shape {
            self.sizes.insert(output, shape);
        }
    }
}

/// Whether the batch is the first axis and no other.
fn carries_batch(shape: &[Size]) -> bool {
    shape.split_first().is_some_and(|(first, rest)| *first == Size::Batch && !rest.contains(&Size::Batch))
}

/// The sizes of the axes after the batch, when all of them are known.
pub(crate) fn without_batch(shape: &[Size]) -> Option<Vec<u64>> {
    shape.get(1..)?.iter().map(|size| if let Size::Fixed(size) = size { Some(*size) } else { None }).collect()
}

/// Count of weights in a constant; zero for integers and scalars, which configure operators.
pub(super) fn weight_count(tensor: &TensorProto) -> u64 {
    use super::messages::tensor_proto::DataType as D;
    let integer = matches!(
        tensor.kind(),
        D::Int64 | D::Int32 | D::Uint64 | D::Uint32 | D::Bool | D::String | D::Undefined
    );
    if integer || tensor.dims.is_empty() { 0 } else { element_count(tensor).map_or(0, |count| count as u64) }
}
