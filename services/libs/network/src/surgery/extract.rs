//! A part of a network as a network of its own.

use std::collections::HashSet;

use prost::Message as _;

use super::SurgeryError;
use crate::onnx::Extent;
use crate::onnx::build::value_info;
use crate::onnx::messages::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};

/// The oldest format in which weights need not be inputs as well.
const WEIGHTS_ARE_NO_INPUTS: i64 = 4;

/// A tensor, FP32, with its axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) tensor: String,
    pub(super) shape: Vec<Extent>,
}

impl Port {
    pub(super) fn new(tensor: &str, shape: Vec<Extent>) -> Self {
        Self { tensor: tensor.to_owned(), shape }
    }
}

/// The nodes and weights that lead from one tensor to another, as a file.
///
/// # Errors
/// [`SurgeryError::OtherNetwork`] when `to` needs another input of the graph than `from`.
pub(super) fn extract(model: &ModelProto, from: &Port, to: &Port) -> Result<Vec<u8>, SurgeryError> {
    extract_all(model, std::slice::from_ref(from), std::slice::from_ref(to))
}

/// The nodes and weights that lead from several tensors to several, as a file.
///
/// # Errors
/// [`SurgeryError::OtherNetwork`] when another input of the graph than those in `from` is needed.
pub(super) fn extract_all(model: &ModelProto, from: &[Port], to: &[Port]) -> Result<Vec<u8>, SurgeryError> {
    let graph = model.graph.as_ref();
    let (nodes, needed) = graph.map(|graph| between(graph, from, to)).unwrap_or_default();
    let weights: Vec<_> = graph
        .iter()
        .flat_map(|graph| &graph.initializer)
        .filter(|tensor| needed.contains(tensor.name.as_str()))
        .cloned()
        .collect();
    let stored: HashSet<&str> = weights.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut inputs = graph.iter().flat_map(|graph| &graph.input).map(|input| input.name.as_str());
    let missing =
        inputs.find(|input| needed.contains(input) && !stored.contains(input) && !is_one_of(from, input));
    if let Some(missing) = missing {
        return Err(SurgeryError::OtherNetwork { tensor: missing.to_owned() });
    }
    let part = GraphProto {
        name: graph.map(|graph| graph.name.clone()).unwrap_or_default(),
        node: nodes.into_iter().cloned().collect(),
        initializer: weights,
        input: from.iter().map(|port| value_info(&port.tensor, &port.shape)).collect(),
        output: to.iter().map(|port| value_info(&port.tensor, &port.shape)).collect(),
        ..GraphProto::default()
    };
    Ok(written(model, part))
}

fn is_one_of(ports: &[Port], tensor: &str) -> bool {
    ports.iter().any(|port| port.tensor == tensor)
}

/// The nodes on which `to` depends, up to `from`, and the tensors that they read.
fn between<'a>(
    graph: &'a GraphProto,
    from: &[Port],
    to: &'a [Port],
) -> (Vec<&'a NodeProto>, HashSet<&'a str>) {
    let mut needed: HashSet<&str> = to.iter().map(|port| port.tensor.as_str()).collect();
    let mut nodes = Vec::new();
    for node in graph.node.iter().rev() {
        let makes_start = node.output.iter().any(|output| is_one_of(from, output));
        if !makes_start && node.output.iter().any(|output| needed.contains(output.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
            nodes.push(node);
        }
    }
    nodes.reverse();
    (nodes, needed)
}

/// A file with this graph in the versions of `model`.
pub(super) fn written(model: &ModelProto, graph: GraphProto) -> Vec<u8> {
    let standard = |import: &&OperatorSetIdProto| import.domain.is_empty() || import.domain == "ai.onnx";
    ModelProto {
        ir_version: model.ir_version.max(WEIGHTS_ARE_NO_INPUTS),
        producer_name: "gifthorse".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: model.opset_import.iter().filter(standard).cloned().collect(),
        graph: Some(graph),
        ..ModelProto::default()
    }
    .encode_to_vec()
}
