//! Which rule an operator follows.

use super::joining::{axis_of, broadcast_all, concat, gemm, matmul};
use super::reshaping::{flatten, reduce, reshape, squeeze, transpose, unsqueeze};
use super::values::numbers;
use super::windows::{convolution, global_pooling, pooling};
use super::{Shape, Shapes, Size};
use crate::onnx::messages::NodeProto;

/// What is known about a node's first output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its shape.
    Shape(Shape),
    /// Nothing.
    Unknown,
    /// That the node runs for batches of this size only.
    FixesBatch(u64),
}

impl From<Option<Shape>> for Answer {
    fn from(shape: Option<Shape>) -> Self {
        shape.map_or(Self::Unknown, Self::Shape)
    }
}

pub(super) fn shape(shapes: &Shapes<'_>, node: &NodeProto, opset: i64) -> Answer {
    match node.op_type.as_str() {
        "Relu"
        | "LeakyRelu"
        | "Elu"
        | "Selu"
        | "Celu"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Swish"
        | "Tanh"
        | "Softplus"
        | "Softsign"
        | "ThresholdedRelu"
        | "Gelu"
        | "Mish"
        | "Erf"
        | "Exp"
        | "Log"
        | "Sqrt"
        | "Reciprocal"
        | "Neg"
        | "Abs"
        | "Ceil"
        | "Floor"
        | "Round"
        | "Clip"
        | "Identity"
        | "Dropout"
        | "Cast"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "LRN" => same(shapes, node).into(),
        "Softmax" | "LogSoftmax" | "LayerNormalization" => {
            let default = if opset < 13 && node.op_type != "LayerNormalization" { 1 } else { -1 };
            normalised_from(shapes, node, node.int("axis").unwrap_or(default)).into()
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" | "Mean" | "PRelu" => {
            broadcast_all(shapes, node).into()
        }
        "Conv" => convolution(shapes, node).into(),
        "MaxPool" | "AveragePool" | "LpPool" => pooling(shapes, node).into(),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => global_pooling(shapes, node).into(),
        "Gemm" => gemm(shapes, node).into(),
        "MatMul" => matmul(shapes, node).into(),
        "Concat" => concat(shapes, node).into(),
        "Flatten" => flatten(shapes, node).into(),
        "Transpose" => transpose(shapes, node).into(),
        "Squeeze" => squeeze(shapes, node).into(),
        "Unsqueeze" => unsqueeze(shapes, node).into(),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL2" => reduce(shapes, node).into(),
        "Pad" => padded(shapes, node).into(),
        "Reshape" => reshape(shapes, node),
        "ConstantOfShape" => filled(shapes, node).into(),
        _ => Answer::Unknown,
    }
}

fn same(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    shapes.of(node.input.first()?).map(<[Size]>::to_vec)
}

/// The shape of the input, if the images are not normalised over each other.
fn normalised_from(shapes: &Shapes<'_>, node: &NodeProto, axis: i64) -> Option<Shape> {
    let shape = same(shapes, node)?;
    let axis = axis_of(axis, shape.len())?;
    (axis > 0).then_some(shape)
}

/// Shape of a tensor of one repeated value.
fn filled(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let sizes = numbers(shapes.values.get(node.input.first()?.as_str())?)?;
    sizes.into_iter().map(|size| u64::try_from(size).ok().map(Size::Fixed)).collect()
}

/// Shape after padding, given by an attribute in older opsets and by an input in newer ones.
fn padded(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    let pads: Vec<i64> = match node.ints("pads") {
        Some(pads) => pads.to_vec(),
        None => numbers(shapes.values.get(node.input.get(1)?.as_str())?)?,
    };
    // Newer opsets can list the axes that are padded; exporters of classifiers do not.
    if pads.len() != input.len() * 2 || node.input.get(3).is_some_and(|axes| !axes.is_empty()) {
        return None;
    }
    let (before, after) = pads.split_at(input.len());
    let sizes = input.iter().zip(before).zip(after).map(|((size, before), after)| {
        match (size, before.checked_add(*after)?) {
            (size, 0) if *before == 0 => Some(*size),
            (Size::Fixed(size), more) => size.checked_add_signed(more).map(Size::Fixed),
            (Size::Unknown, _) => Some(Size::Unknown),
            (Size::Batch, _) => None,
        }
    });
    sizes.collect()
}
