//! Operators that keep the elements and change their places.

use gifthorse_network::onnx::messages::NodeProto;
use gifthorse_network::onnx::messages::tensor_proto::DataType;
use tch::{TchError, Tensor};

use super::inputs::axis_of;
use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
enum Moving {
    Identity,
    Concat(i64),
    Flatten(i64),
    Reshape {
        keeps_zero: bool,
    },
    Transpose(Option<Vec<i64>>),
    /// None takes all axes of one element.
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Vec<i64>),
}

pub(super) fn identity() -> Box<dyn Operator> {
    Box::new(Moving::Identity)
}

pub(super) fn cast(node: &NodeProto) -> Built {
    let to = node.int("to").and_then(|kind| i32::try_from(kind).ok()).unwrap_or_default();
    match DataType::try_from(to) {
        Ok(DataType::Float | DataType::Int64 | DataType::Int32) => Ok(Box::new(Moving::Identity)),
        _ => Err("it casts to another type than FLOAT, INT32 and INT64".to_owned()),
    }
}

pub(super) fn concat(node: &NodeProto) -> Built {
    Ok(Box::new(Moving::Concat(node.int("axis").ok_or("it names no axis")?)))
}

pub(super) fn flatten(node: &NodeProto) -> Box<dyn Operator> {
    Box::new(Moving::Flatten(node.int("axis").unwrap_or(1)))
}

pub(super) fn reshape(node: &NodeProto) -> Box<dyn Operator> {
    Box::new(Moving::Reshape { keeps_zero: node.int("allowzero").unwrap_or(0) != 0 })
}

pub(super) fn transpose(node: &NodeProto) -> Box<dyn Operator> {
    Box::new(Moving::Transpose(node.ints("perm").map(<[i64]>::to_vec)))
}

pub(super) fn squeeze(node: &NodeProto, facts: &Facts<'_>) -> Built {
    Ok(Box::new(Moving::Squeeze(facts.axes(node, 1)?)))
}

pub(super) fn unsqueeze(node: &NodeProto, facts: &Facts<'_>) -> Built {
    Ok(Box::new(Moving::Unsqueeze(facts.axes(node, 1)?.ok_or("it names no axes")?)))
}

impl Operator for Moving {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        if inputs.is_integers() {
            return self.integers(inputs);
        }
        let input = inputs.tensor(0)?;
        let made = match self {
            Self::Identity => input.shallow_clone(),
            Self::Concat(axis) => Tensor::f_cat(&inputs.tensors()?, *axis)?,
            Self::Flatten(axis) => flattened(input, *axis)?,
            Self::Reshape { keeps_zero } => reshaped(input, inputs.integers(1)?, *keeps_zero)?,
            Self::Transpose(Some(order)) => input.f_permute(order.as_slice())?,
            Self::Transpose(None) => input.f_permute((0..input.dim() as i64).rev().collect::<Vec<_>>())?,
            Self::Squeeze(Some(axes)) => input.f_squeeze_dims(axes.as_slice())?,
            Self::Squeeze(None) => input.f_squeeze()?,
            Self::Unsqueeze(axes) => unsqueezed(input, axes)?,
        };
        Ok(Value::Tensor(made))
    }
}

impl Moving {
    /// Lists and scalars of integers are the same here: only joining them changes them.
    fn integers(&self, inputs: &Inputs<'_>) -> Result<Value, TchError> {
        let count = if matches!(self, Self::Concat(_)) { inputs.len() } else { 1 };
        let parts = (0..count).map(|index| inputs.integers(index)).collect::<Result<Vec<_>, _>>()?;
        Ok(Value::Integers(parts.concat()))
    }
}

fn flattened(input: &Tensor, axis: i64) -> Result<Tensor, TchError> {
    let sizes = input.size();
    let axis = if axis == sizes.len() as i64 { sizes.len() } else { axis_of(axis, sizes.len())? };
    let [first, second] = [&sizes[..axis], &sizes[axis..]].map(|sizes| sizes.iter().product::<i64>());
    input.f_reshape([first, second])
}

fn reshaped(input: &Tensor, target: &[i64], keeps_zero: bool) -> Result<Tensor, TchError> {
    let sizes = input.size();
    let copied = |(axis, size): (usize, &i64)| {
        if *size == 0 && !keeps_zero { sizes.get(axis).copied().unwrap_or(0) } else { *size }
    };
    input.f_reshape(target.iter().enumerate().map(copied).collect::<Vec<_>>())
}

fn unsqueezed(input: &Tensor, axes: &[i64]) -> Result<Tensor, TchError> {
    let rank = input.dim() + axes.len();
    let mut axes = axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.iter().try_fold(input.shallow_clone(), |made, axis| made.f_unsqueeze(*axis as i64))
}
