//! Contents of the small integer tensors that say how to reshape, followed through the operators with which
//! exporters compute them from the shape of an image.

use super::{MOST_AXES, Shapes, Size};
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{NodeProto, TensorProto};

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// This number.
    Number(i64),
    /// The count of images.
    Batch,
    /// Not known.
    Unknown,
}

/// The elements as numbers, when all of them are known.
pub(super) fn numbers(values: &[Value]) -> Option<Vec<i64>> {
    values.iter().map(|value| if let Value::Number(number) = value { Some(*number) } else { None }).collect()
}

/// The integers of a scalar or list, if it is short enough to be about axes.
pub(super) fn of_constant(tensor: &TensorProto) -> Option<Vec<Value>> {
    let count = super::element_count(tensor).ok()?;
    if tensor.dims.len() > 1 || count > MOST_AXES {
        return None;
    }
    let raw = &tensor.raw_data;
    let numbers: Vec<i64> = match tensor.kind() {
        DataType::Int64 if raw.is_empty() => tensor.int64_data.clone(),
        DataType::Int64 => raw.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        DataType::Int32 if raw.is_empty() => {
            tensor.int32_data.iter().map(|value| i64::from(*value)).collect()
        }
        DataType::Int32 => {
            raw.as_chunks().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect()
        }
        _ => return None,
    };
    Some(numbers.into_iter().map(Value::Number).collect())
}

/// The integers a node makes, when it makes some that can be followed.
pub(super) fn of_node(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Vec<Value>> {
    let first = node.input.first()?;
    if node.op_type == "Shape" {
        let sizes = shapes.of(first)?;
        let values = sizes.iter().map(|size| match size {
            Size::Fixed(size) => i64::try_from(*size).map_or(Value::Unknown, Value::Number),
            Size::Batch => Value::Batch,
            Size::Unknown => Value::Unknown,
        });
        let values: Vec<Value> = values.collect();
        let start = node.int("start").unwrap_or(0);
        let end = node.int("end").unwrap_or(i64::MAX);
        return Some(cut(&values, start, end));
    }
    let values = shapes.values.get(first.as_str())?;
    let numbers = |index: usize| {
        let input = node.input.get(index)?;
        numbers(shapes.values.get(input.as_str())?)
    };
    match node.op_type.as_str() {
        "Identity" | "Cast" | "Squeeze" | "Unsqueeze" => Some(values.clone()),
        "Gather" if node.int("axis").unwrap_or(0) == 0 => {
            let indices = numbers(1)?;
            indices.iter().map(|index| values.get(from_end(*index, values.len())).copied()).collect()
        }
        "Slice" => {
            let (starts, ends) = (numbers(1)?, numbers(2)?);
            let steps = if node.input.len() > 4 { numbers(4)? } else { vec![1] };
            match (starts.as_slice(), ends.as_slice(), steps.as_slice()) {
                ([start], [end], [1]) => Some(cut(values, *start, *end)),
                _ => None,
            }
        }
        "Concat" => {
            let parts = node.input.iter().map(|input| shapes.values.get(input.as_str()));
            let parts: Vec<&Vec<Value>> = parts.collect::<Option<_>>()?;
            let joined: Vec<Value> = parts.into_iter().flatten().copied().take(MOST_AXES + 1).collect();
            (joined.len() <= MOST_AXES).then_some(joined)
        }
        _ => None,
    }
}

/// The place `index` means, counted from the end when negative; beyond the list when there is none.
fn from_end(index: i64, length: usize) -> usize {
    let index = if index < 0 { index.saturating_add(length as i64) } else { index };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Elements from `start` up to `end`, both cut to the list.
fn cut(values: &[Value], start: i64, end: i64) -> Vec<Value> {
    let place = |index: i64| {
        let index = if index < 0 { index.saturating_add(values.len() as i64) } else { index };
        index.clamp(0, values.len() as i64) as usize
    };
    values.get(place(start)..place(end)).unwrap_or_default().to_vec()
}
