//! Which axis of a picture inside a network holds the channels.

use std::collections::HashMap;

use crate::onnx::messages::NodeProto;
use crate::{Layout, NetworkDescription};

/// The layout of every tensor of four axes on the way to the logits for which it is certain.
///
/// Convolutions and poolings take and make channels first by definition; from there, and from the image
/// itself, the layout is followed through operators that keep or exchange the axes.
pub(super) fn layouts<'a>(
    description: &'a NetworkDescription,
    path: &[&'a NodeProto],
) -> HashMap<&'a str, Layout> {
    let mut layouts = HashMap::from([(description.input.as_str(), description.layout)]);
    for node in path {
        if let Some(layout) = layout(node, &layouts) {
            layouts.extend(node.output.iter().map(|output| (output.as_str(), layout)));
        }
    }
    layouts
}

fn layout(node: &NodeProto, known: &HashMap<&str, Layout>) -> Option<Layout> {
    let of_inputs = || node.input.iter().find_map(|input| known.get(input.as_str()).copied());
    match node.op_type.as_str() {
        "Conv"
        | "MaxPool"
        | "AveragePool"
        | "LpPool"
        | "GlobalAveragePool"
        | "GlobalMaxPool"
        | "GlobalLpPool"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "LRN" => Some(Layout::Nchw),
        "Transpose" => match (of_inputs()?, node.ints("perm")?) {
            (layout, [0, 1, 2, 3]) => Some(layout),
            (Layout::Nhwc, [0, 3, 1, 2]) => Some(Layout::Nchw),
            (Layout::Nchw, [0, 2, 3, 1]) => Some(Layout::Nhwc),
            _ => None,
        },
        // These move elements between axes, so that nothing can be said without their shapes.
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Gather" | "MatMul" | "Gemm" | "Shape"
        | "SpaceToDepth" | "DepthToSpace" | "Einsum" | "Expand" | "Tile" => None,
        _ => of_inputs(),
    }
}
