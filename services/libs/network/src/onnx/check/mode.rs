//! Networks exported in training mode, which answer differently each time or depending on the batch.

use std::collections::HashSet;

use super::node_name;
use crate::NetworkError;
use crate::onnx::messages::{GraphProto, NodeProto, TensorProto};

pub(super) fn check(graph: &GraphProto) -> Result<(), NetworkError> {
    let zeros = zero_constants(graph);
    let trains = |node: &&NodeProto| match node.op_type.as_str() {
        "BatchNormalization" => {
            let statistics = node.output.iter().skip(1).any(|name| !name.is_empty());
            statistics || node.int("training_mode").unwrap_or(0) != 0
        }
        "Dropout" => node.input.get(2).is_some_and(|name| !name.is_empty() && !zeros.contains(name.as_str())),
        _ => false,
    };
    match graph.node.iter().find(trains) {
        None => Ok(()),
        Some(node) => Err(NetworkError::Unsupported {
            what: format!("operator {} (node {:?}) in training mode", node.op_type, node_name(node)),
            hint: "export the network in evaluation mode".to_owned(),
        }),
    }
}

/// Names of the scalar constants that are zero, or `false`.
fn zero_constants(graph: &GraphProto) -> HashSet<&str> {
    let initializers = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let nodes = graph.node.iter().filter_map(|node| {
        let value = node.attribute_named("value")?.t.as_ref()?;
        node.is_standard("Constant").then(|| node.output.first().map(|name| (name.as_str(), value)))?
    });
    let zero = |tensor: &TensorProto| {
        tensor.dims.is_empty()
            && tensor.raw_data.iter().all(|byte| *byte == 0)
            && tensor.int32_data.iter().all(|value| *value == 0)
    };
    initializers.chain(nodes).filter(|(_, tensor)| zero(tensor)).map(|(name, _)| name).collect()
}
