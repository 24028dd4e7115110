//! The graph: which features it uses, and whether every tensor is made once and before it is read.

use std::collections::HashSet;

use super::{node_name, outside, versions};
use crate::NetworkError;
use crate::onnx::messages::attribute_proto::AttributeType;
use crate::onnx::messages::{AttributeProto, GraphProto, ModelProto, NodeProto};

/// Refuses what a plain network for inference has no need of.
pub(super) fn check_features(model: &ModelProto, graph: &GraphProto) -> Result<(), NetworkError> {
    if !model.training_info.is_empty() {
        return Err(unsupported("training information in the file".to_owned(), "export for inference"));
    }
    if let Some(function) = model.functions.first() {
        return Err(unsupported(
            format!("the function {:?} that the file defines itself", function.name),
            "inline it with Python: onnx.inliner.inline_local_functions(onnx.load(\"model.onnx\"))",
        ));
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
        return Err(unsupported(format!("the sparse initializer {name:?}"), "export it as a dense tensor"));
    }
    graph.node.iter().try_for_each(check_node)
}

fn check_node(node: &NodeProto) -> Result<(), NetworkError> {
    let name = node_name(node);
    if node.op_type.is_empty() {
        return Err(damaged(format!("node {name:?} names no operator")));
    }
    if !versions::is_standard(&node.domain) {
        return Err(NetworkError::Refused {
            what: format!("operator {} of domain {:?} (node {name:?})", node.op_type, node.domain),
            reason: "only the standard ONNX operators are run; export the network without custom operators \
                     and before any runtime has optimised it"
                .to_owned(),
        });
    }
    let mut names = HashSet::new();
    for attribute in &node.attribute {
        if !names.insert(attribute.name.as_str()) {
            return Err(damaged(format!("node {name:?} has attribute {:?} twice", attribute.name)));
        }
        check_attribute(node, attribute)?;
    }
    Ok(())
}

fn check_attribute(node: &NodeProto, attribute: &AttributeProto) -> Result<(), NetworkError> {
    let place = || format!("attribute {:?} of node {:?}", attribute.name, node_name(node));
    if attribute.g.is_some() || !attribute.graphs.is_empty() {
        return Err(unsupported(
            format!("operator {} (node {:?}) with a graph inside it", node.op_type, node_name(node)),
            "export the network without control flow (If, Loop, Scan)",
        ));
    }
    if attribute.sparse_tensor.is_some() || !attribute.sparse_tensors.is_empty() {
        return Err(unsupported(format!("a sparse tensor in {}", place()), "export it as a dense tensor"));
    }
    if !attribute.ref_attr_name.is_empty() {
        return Err(damaged(format!("{} refers to a function's attribute outside a function", place())));
    }
    if matches!(AttributeType::try_from(attribute.r#type), Ok(AttributeType::Undefined) | Err(_)) {
        return Err(damaged(format!("{} has no known type ({})", place(), attribute.r#type)));
    }
    attribute.t.iter().chain(&attribute.tensors).try_for_each(outside::check)
}

/// Checks that every tensor is made exactly once, before the first node that reads it.
pub(super) fn check_flow(graph: &GraphProto) -> Result<(), NetworkError> {
    if graph.node.is_empty() || graph.output.is_empty() {
        return Err(damaged("the graph has no nodes or no outputs; the file may be cut off".to_owned()));
    }
    let initializers = distinct("initializer", graph.initializer.iter().map(|tensor| tensor.name.as_str()))?;
    let inputs = distinct("input", graph.input.iter().map(|input| input.name.as_str()))?;
    distinct("output", graph.output.iter().map(|output| output.name.as_str()))?;

    let mut made: HashSet<&str> = initializers.union(&inputs).copied().collect();
    for node in &graph.node {
        let name = node_name(node);
        if let Some(missing) =
            node.input.iter().find(|input| !input.is_empty() && !made.contains(input.as_str()))
        {
            return Err(damaged(format!(
                "node {name:?} ({}) reads tensor {missing:?}, which nothing before it makes",
                node.op_type
            )));
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !made.insert(output) {
                return Err(damaged(format!("tensor {output:?} is made twice, again by node {name:?}")));
            }
        }
    }
    match graph.output.iter().find(|output| !made.contains(output.name.as_str())) {
        Some(missing) => Err(damaged(format!("nothing makes the output {:?}", missing.name))),
        None => Ok(()),
    }
}

fn distinct<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<HashSet<&'a str>, NetworkError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(damaged(format!("an {kind} has no name")));
        }
        if !seen.insert(name) {
            return Err(damaged(format!("two {kind}s are called {name:?}")));
        }
    }
    Ok(seen)
}

fn damaged(fault: String) -> NetworkError {
    NetworkError::Damaged { fault }
}

fn unsupported(what: String, hint: &str) -> NetworkError {
    NetworkError::Unsupported { what, hint: hint.to_owned() }
}
