//! Networks that classify by pictures of one pixel, `[N, M, 1, 1]`, as the older fully convolutional ones do.

use crate::onnx::messages::GraphProto;
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::types::tensor_of;
use crate::onnx::{Extent, GraphBuilder, attribute};

/// Whether the only output is said to be such pictures.
pub(super) fn is_one(graph: &GraphProto) -> bool {
    let [output] = graph.output.as_slice() else { return false };
    let Some((DataType::Float, Some(sizes))) = tensor_of(output) else { return false };
    matches!(sizes.as_slice(), [_, Some(2..), Some(1), Some(1)])
}

/// Appends the node that makes the output `[N, M]`.
pub(super) fn flatten(mut graph: GraphProto) -> GraphProto {
    let Some(output) = graph.output.pop() else { return graph };
    let sizes = tensor_of(&output).and_then(|(_, sizes)| sizes).unwrap_or_default();
    let extents = sizes.iter().take(2).map(|size| size.map_or_else(Extent::batch, Extent::Fixed));
    let shape: Vec<Extent> = extents.collect();
    let mut builder = GraphBuilder::extending(graph);
    let flat = builder.node("Flatten", "flattened", &[&output.name], vec![attribute::int("axis", 1)]);
    builder.output_f32(&flat, &shape);
    builder.into_graph()
}
