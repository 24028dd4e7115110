//! Operators that move a window over the picture: convolution and pooling, `[N, C, H, W]`.

use super::{Shape, Shapes, Size};
use crate::onnx::messages::NodeProto;

/// Shape of a convolution with weights `[O, C / groups, k...]`.
pub(super) fn convolution(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    let [made, _, kernel @ ..] = shapes.of(node.input.get(1)?)? else { return None };
    let kernel: Option<Vec<i64>> = kernel
        .iter()
        .map(|size| if let Size::Fixed(size) = size { i64::try_from(*size).ok() } else { None })
        .collect();
    slide(input, *made, &kernel?, node)
}

/// Shape of a pooling with a window.
pub(super) fn pooling(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    slide(input, *input.get(1)?, node.ints("kernel_shape")?, node)
}

/// Shape of a pooling over the whole picture.
pub(super) fn global_pooling(shapes: &Shapes<'_>, node: &NodeProto) -> Option<Shape> {
    let input = shapes.of(node.input.first()?)?;
    Some(input.iter().enumerate().map(|(axis, size)| if axis < 2 { *size } else { Size::Fixed(1) }).collect())
}

fn slide(input: &[Size], channels: Size, kernel: &[i64], node: &NodeProto) -> Option<Shape> {
    let [batch, _, spatial @ ..] = input else { return None };
    if spatial.len() != kernel.len() {
        return None;
    }
    let mut shape = vec![*batch, channels];
    for (axis, (size, kernel)) in spatial.iter().zip(kernel).enumerate() {
        shape.push(match size {
            Size::Fixed(size) => Size::Fixed(places(*size, *kernel, axis, spatial.len(), node)?),
            // The batch in the place of rows or columns is beyond this inference.
            Size::Batch => return None,
            Size::Unknown => Size::Unknown,
        });
    }
    Some(shape)
}

/// How many places the window has along one axis; none when it has none or the numbers are absurd.
fn places(size: u64, kernel: i64, axis: usize, rank: usize, node: &NodeProto) -> Option<u64> {
    let size = i64::try_from(size).ok()?;
    let listed = |name: &str, index: usize, default: i64| match node.ints(name) {
        Some(values) => values.get(index).copied(),
        None => Some(default),
    };
    let stride = listed("strides", axis, 1)?;
    let dilation = listed("dilations", axis, 1)?;
    if stride < 1 || dilation < 1 || kernel < 1 {
        return None;
    }
    let pads = match node.text("auto_pad").unwrap_or("NOTSET") {
        "SAME_UPPER" | "SAME_LOWER" => {
            // Rounded up, by definition.
            return u64::try_from((size.checked_add(stride - 1)?) / stride).ok();
        }
        "VALID" => 0,
        _ => listed("pads", axis, 0)?.checked_add(listed("pads", axis + rank, 0)?)?,
    };
    let window = (kernel - 1).checked_mul(dilation)?.checked_add(1)?;
    let room = size.checked_add(pads)?.checked_sub(window)?;
    if room < 0 {
        return None;
    }
    let mut steps = room / stride;
    if node.int("ceil_mode").unwrap_or(0) != 0 && room % stride != 0 {
        // A last, partial window counts only if it starts inside the picture or its padding before it.
        let start = (steps + 1).checked_mul(stride)?;
        if start < size.checked_add(listed("pads", axis, 0)?)? {
            steps += 1;
        }
    }
    u64::try_from(steps + 1).ok()
}
