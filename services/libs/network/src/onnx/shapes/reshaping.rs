//! Operators that keep the elements and change the axes.

use super::joining::axis_of;
use super::operators::Answer;
use super::values::{Value, numbers};
use super::{MOST_AXES, Shape, Shapes, Size};
use crate::onnx::messages::NodeProto;

/// Shape of a Flatten.
pub(super) fn flatten(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    let axis = node.int("axis").unwrap_or(1);
    let axis = if axis == input.len() as i64 { input.len() } else { axis_of(axis, input.len())? };
    Some(vec![product(&input[..axis]), product(&input[axis..])])
}

/// Shape of a Transpose.
pub(super) fn transpose(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    let reversed: Vec<i64> = (0..input.len() as i64).rev().collect();
    let order = node.ints("perm").unwrap_or(&reversed);
    if order.len() != input.len() {
        return None;
    }
    order.iter().map(|axis| axis_of(*axis, input.len()).map(|axis| input[axis])).collect()
}

/// Axes of a node, an attribute in older opsets and an input in newer ones; none when not constant or not
/// there.
pub(super) fn axes(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Vec<i64>> {
    if let Some(axes) = node.ints("axes") {
        return (axes.len() <= MOST_AXES).then(|| axes.to_vec());
    }
    numbers(shapes.values.get(node.input.get(1)?.as_str())?)
}

/// Shape of a Squeeze with given axes; without them the batch axis may go too, so nothing is said.
pub(super) fn squeeze(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let mut shape = shapes.of(node.input.first()?)?.to_vec();
    let rank = shape.len();
    let mut axes: Vec<usize> =
        axes(shapes, node)?.into_iter().map(|axis| axis_of(axis, rank)).collect::<Option<_>>()?;
    axes.sort_unstable();
    axes.dedup();
    for axis in axes.into_iter().rev() {
        if shape.remove(axis) != Size::Fixed(1) {
            return None;
        }
    }
    Some(shape)
}

/// Shape of an Unsqueeze.
pub(super) fn unsqueeze(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let mut shape = shapes.of(node.input.first()?)?.to_vec();
    let axes = axes(shapes, node)?;
    let rank = shape.len() + axes.len();
    let mut axes: Vec<usize> = axes.into_iter().map(|axis| axis_of(axis, rank)).collect::<Option<_>>()?;
    axes.sort_unstable();
    for axis in axes {
        if axis > shape.len() {
            return None;
        }
        shape.insert(axis, Size::Fixed(1));
    }
    Some(shape)
}

/// Shape of a reduction over axes, `keepdims` by default.
pub(super) fn reduce(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    let axes: Vec<usize> =
        axes(shapes, node)?.into_iter().map(|axis| axis_of(axis, input.len())).collect::<Option<_>>()?;
    if axes.is_empty() {
        return None;
    }
    let keep = node.int("keepdims").unwrap_or(1) != 0;
    let sizes = input.iter().enumerate().filter_map(|(axis, size)| match (axes.contains(&axis), keep) {
        (false, _) => Some(*size),
        (true, true) => Some(Size::Fixed(1)),
        (true, false) => None,
    });
    Some(sizes.collect())
}

/// Shape of a Reshape whose target is known.
pub(super) fn reshape(shapes: &Shapes<'_>, node: &NodeProto) -> Answer {
    known_reshape(shapes, node).unwrap_or(Answer::Unknown)
}

fn known_reshape(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Answer> {
    let target = shapes.values.get(node.input.get(1)?.as_str())?;
    let input = shapes.of(node.input.first()?);
    let copies_zero = node.int("allowzero").unwrap_or(0) == 0;
    let mut open = None;
    let mut shape = Vec::with_capacity(target.len());
    for (axis, value) in target.iter().enumerate() {
        shape.push(match value {
            Value::Number(0) if copies_zero => input.and_then(|input| input.get(axis)).copied()?,
            Value::Number(-1) if open.is_none() => {
                open = Some(axis);
                Size::Unknown
            }
            Value::Number(size) => Size::Fixed(u64::try_from(*size).ok()?),
            Value::Batch => Size::Batch,
            Value::Unknown => Size::Unknown,
        });
    }
    let Some(input) = input else { return Some(Answer::Shape(shape)) };
    let has_batch = input.contains(&Size::Batch);
    if has_batch && !shape.contains(&Size::Batch) && open != Some(0) {
        // The first axis has a size of its own, so the batch would have to go elsewhere.
        return match shape.first() {
            Some(Size::Fixed(count)) => Some(Answer::FixesBatch(*count)),
            _ => Some(Answer::Unknown),
        };
    }
    if let Some(open) = open {
        let others: Vec<Size> =
            shape.iter().enumerate().filter(|(axis, _)| *axis != open).map(|(_, size)| *size).collect();
        shape[open] = quotient(input, &others);
    }
    Some(Answer::Shape(shape))
}

/// Size of all these axes as one.
fn product(sizes: &[Size]) -> Size {
    let mut product = 1_u64;
    let mut batches = 0;
    for size in sizes {
        match size {
            Size::Fixed(size) => match product.checked_mul(*size) {
                Some(larger) => product = larger,
                None => return Size::Unknown,
            },
            Size::Batch => batches += 1,
            Size::Unknown => return Size::Unknown,
        }
    }
    match (batches, product) {
        (0, product) => Size::Fixed(product),
        (1, 1) => Size::Batch,
        _ => Size::Unknown,
    }
}

/// Size left for one axis when the elements of `whole` also fill `others`.
fn quotient(whole: &[Size], others: &[Size]) -> Size {
    let fixed = |sizes: &[Size]| {
        let rest: Vec<Size> = sizes.iter().copied().filter(|size| *size != Size::Batch).collect();
        if let Size::Fixed(count) = product(&rest) { Some(count) } else { None }
    };
    let batches = |sizes: &[Size]| sizes.iter().filter(|size| **size == Size::Batch).count();
    let (Some(whole_count), Some(other_count)) = (fixed(whole), fixed(others)) else { return Size::Unknown };
    match whole_count.checked_rem(other_count) {
        Some(0) => {}
        _ => return Size::Unknown,
    }
    match (batches(whole).checked_sub(batches(others)), whole_count / other_count) {
        (Some(0), count) => Size::Fixed(count),
        (Some(1), 1) => Size::Batch,
        _ => Size::Unknown,
    }
}
