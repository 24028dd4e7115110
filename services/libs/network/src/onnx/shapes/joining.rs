//! Operators that join tensors: arithmetic with broadcasting, concatenation, matrix products.

use super::{Shape, Shapes, Size};
use crate::onnx::messages::NodeProto;

/// Shape of an elementwise operator on all inputs of the node.
pub(super) fn broadcast_all(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let mut inputs = node.input.iter().map(|input| shapes.of(input));
    let first = inputs.next()??.to_vec();
    inputs.try_fold(first, |joined, next| broadcast(&joined, next?))
}

/// Shape of two tensors spread over each other, aligned at the last axis; none when they do not fit.
fn broadcast(left: &[Size], right: &[Size]) -> Option<Shape> {
    let rank = left.len().max(right.len());
    let axis = |shape: &[Size], index: usize| {
        let missing = rank - shape.len();
        if index < missing { Size::Fixed(1) } else { shape[index - missing] }
    };
    (0..rank)
        .map(|index| match (axis(left, index), axis(right, index)) {
            (Size::Fixed(1), size) | (size, Size::Fixed(1)) => Some(size),
            (Size::Unknown, Size::Fixed(size)) | (Size::Fixed(size), Size::Unknown) => {
                Some(Size::Fixed(size))
            }
            (one, other) if one == other => Some(one),
            // Among them the batch against any other size: that would tie the batch to it.
            _ => None,
        })
        .collect()
}

/// Shape of tensors put one after the other along an axis.
pub(super) fn concat(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let parts: Option<Vec<&[Size]>> = node.input.iter().map(|input| shapes.of(input)).collect();
    let parts = parts?;
    let mut joined = parts.first()?.to_vec();
    let axis = axis_of(node.int("axis")?, joined.len())?;
    for part in &parts[1..] {
        if part.len() != joined.len() {
            return None;
        }
        for (index, size) in part.iter().enumerate() {
            joined[index] = match (joined[index], *size) {
                (Size::Fixed(one), Size::Fixed(other)) if index == axis => {
                    Size::Fixed(one.checked_add(other)?)
                }
                (_, _) if index == axis => Size::Unknown,
                (one, other) if one == other => one,
                (Size::Unknown, Size::Fixed(size)) | (Size::Fixed(size), Size::Unknown) => Size::Fixed(size),
                _ => return None,
            };
        }
    }
    Some(joined)
}

/// Shape of `A B + C`, `[N, M]`.
pub(super) fn gemm(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let right = shapes.of(node.input.get(1)?)?;
    let [rows, columns] = right else { return None };
    let (depth, made) = if node.int("transB").unwrap_or(0) == 0 { (rows, columns) } else { (columns, rows) };
    let left = shapes.of(node.input.first()?);
    if node.int("transA").unwrap_or(0) != 0 {
        return None;
    }
    let first = match left {
        Some([first, last]) => fitting(*last, *depth).then_some(*first)?,
        Some(_) => return None,
        None => Size::Unknown,
    };
    Some(vec![first, *made])
}

/// Shape of a matrix product, batched when the right side has more than two axes too.
pub(super) fn matmul(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let (left, right) = (shapes.of(node.input.first()?)?, shapes.of(node.input.get(1)?)?);
    let ([.., rows, last], [.., depth, made]) = (left, right) else { return None };
    if !fitting(*last, *depth) {
        return None;
    }
    let mut shape = broadcast(&left[..left.len() - 2], &right[..right.len() - 2])?;
    shape.extend([*rows, *made]);
    Some(shape)
}

fn fitting(one: Size, other: Size) -> bool {
    one == other || one == Size::Unknown || other == Size::Unknown
}

/// The axis `axis` means in a tensor of this rank, counted from the end when negative.
pub(super) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}
