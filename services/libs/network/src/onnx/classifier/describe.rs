//! Summary of the nodes of a network.

use crate::description::LayerSummary;
use crate::onnx::check::node_name;
use crate::onnx::messages::GraphProto;
use crate::onnx::shapes::{Shapes, weight_count, without_batch};

/// What the nodes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Count of all weights, shared ones once.
    pub(super) parameters: u64,
    /// The nodes the image passes through, in order.
    pub(super) layers: Vec<LayerSummary>,
}

pub(super) fn facts(graph: &GraphProto, shapes: &Shapes<'_>) -> Facts {
    let weights_of = |tensor: &str| shapes.constant_named(tensor).map_or(0, weight_count);
    let constants = graph.node.iter().filter(|node| node.op_type == "Constant");
    let made = constants.filter_map(|node| node.output.first()).map(String::as_str);
    let names = graph.initializer.iter().map(|tensor| tensor.name.as_str()).chain(made);
    let parameters = names.map(weights_of).fold(0, u64::saturating_add);

    let mut layers = Vec::new();
    for node in &graph.node {
        let Some(tensor) = node.output.first().filter(|tensor| shapes.is_from_image(tensor)) else {
            continue;
        };
        layers.push(LayerSummary {
            name: node_name(node).to_owned(),
            kind: node.op_type.clone(),
            output_shape: shapes.of(tensor).and_then(without_batch).unwrap_or_default(),
            parameters: node.input.iter().map(|input| weights_of(input)).fold(0, u64::saturating_add),
            tensor: tensor.clone(),
        });
    }
    Facts { parameters, layers }
}
