//! Whether a decoded file is a sound, self-contained, flat ONNX model that can be run.

mod data;
mod graph;
mod mode;
mod outside;
mod versions;

use super::messages::{GraphProto, ModelProto, NodeProto};
use crate::NetworkError;

pub(super) use data::{MOST_AXES, element_count};
pub(super) use versions::is_standard;
pub(crate) use versions::opset;
pub use versions::{IR_VERSIONS, OPSETS};

/// Checks everything that holds for any network, classifier or not, and answers the graph.
///
/// Afterwards: the versions are known ones; all operators are standard; there are no graphs inside graphs;
/// every tensor a node reads was made before; no name stands for two tensors; every constant has exactly
/// the data its shape asks for, inside the file; no weight is NaN or infinite.
///
/// # Errors
/// The first fault found, by name.
pub fn check(model: &ModelProto) -> Result<&GraphProto, NetworkError> {
    let graph = model.graph.as_ref().ok_or_else(|| NetworkError::Damaged {
        fault: "there is no graph in it; the file may be cut off".to_owned(),
    })?;
    versions::check(model)?;
    graph::check_features(model, graph)?;
    graph::check_flow(graph)?;
    mode::check(graph)?;
    for tensor in &graph.initializer {
        outside::check(tensor)?;
        data::check(tensor)?;
    }
    for node in &graph.node {
        data::check_attributes(node)?;
    }
    Ok(graph)
}

/// A node as messages call it: by its name, or by its first output where it has none.
pub(crate) fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
