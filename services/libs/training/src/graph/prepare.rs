//! A graph in which every trained tensor is an initializer of its own.
//!
//! Exporters store equal tensors once: as one initializer that several nodes read, or as an `Identity` of it.
//! Tensors of batch normalisations that were equal before training are not equal after it, so each gets a copy;
//! kernels and matrices that several nodes read are shared on purpose and stay so.

use std::collections::{HashMap, HashSet};

use gifthorse_network::onnx::GraphBuilder;
use gifthorse_network::onnx::build::tensor_f32;
use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::role::{self, Role};

/// The oldest format in which weights need not be inputs as well.
const WEIGHTS_ARE_NO_INPUTS: i64 = 4;

/// Prepares a checked model; it computes what it did.
pub(super) fn prepare(mut model: ModelProto) -> ModelProto {
    model.ir_version = model.ir_version.max(WEIGHTS_ARE_NO_INPUTS);
    if let Some(graph) = model.graph.take() {
        model.graph = Some(untie(with_stored_constants(graph)));
    }
    model
}

/// Constant nodes, and identities of what is stored, become initializers of the same name.
fn with_stored_constants(mut graph: GraphProto) -> GraphProto {
    let outputs: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let mut stored: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(place, tensor)| (tensor.name.clone(), place)).collect();
    let nodes = std::mem::take(&mut graph.node);
    for node in nodes {
        let tensor = match node.op_type.as_str() {
            "Constant" => constant(&node),
            "Identity" => node.input.first().and_then(|name| stored.get(name)).map(|place| {
                let output = node.output.first().cloned().unwrap_or_default();
                TensorProto { name: output, ..graph.initializer[*place].clone() }
            }),
            _ => None,
        };
        match tensor.filter(|tensor| !outputs.contains(&tensor.name)) {
            Some(tensor) => {
                stored.insert(tensor.name.clone(), graph.initializer.len());
                graph.initializer.push(tensor);
            }
            None => graph.node.push(node),
        }
    }
    graph
}

/// The tensor of a Constant node, under the name of its output.
fn constant(node: &NodeProto) -> Option<TensorProto> {
    let name = node.output.first()?.clone();
    if let Some(tensor) = node.attribute_named("value").and_then(|attribute| attribute.t.clone()) {
        return Some(TensorProto { name, ..tensor });
    }
    let integers = |dims: Vec<i64>, values: &[i64]| TensorProto {
        name: name.clone(),
        dims,
        data_type: DataType::Int64.into(),
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    };
    if let Some(value) = node.int("value_int") {
        return Some(integers(Vec::new(), &[value]));
    }
    if let Some(values) = node.ints("value_ints") {
        return Some(integers(vec![values.len() as i64], values));
    }
    let value = node.float("value_float")?;
    Some(tensor_f32(&name, ndarray::arr0(value).view()))
}

/// Gives each reader of a tensor its own copy where they have different uses for it, or it is of a batch
/// normalisation.
fn untie(mut graph: GraphProto) -> GraphProto {
    let uses = tied_uses(&graph);
    if uses.is_empty() {
        return graph;
    }
    let mut names = GraphBuilder::extending(graph.clone());
    let places: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(place, tensor)| (tensor.name.clone(), place)).collect();
    for (node, input) in uses {
        let name = &graph.node[node].input[input];
        let Some(place) = places.get(name) else { continue };
        let copy = names.unique(name);
        graph.initializer.push(TensorProto { name: copy.clone(), ..graph.initializer[*place].clone() });
        graph.node[node].input[input] = copy;
    }
    graph
}

/// Node and input of every use of a stored tensor that needs a copy: all but the first use of each.
fn tied_uses(graph: &GraphProto) -> Vec<(usize, usize)> {
    let stored: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let roles = role::roles(graph);
    let makers = graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
    let makers: HashMap<&str, &NodeProto> = makers.collect();
    let mut first: HashMap<&str, Role> = HashMap::new();
    let mut tied = Vec::new();
    for (place, node) in graph.node.iter().enumerate() {
        for (index, name) in node.input.iter().enumerate() {
            if !stored.contains(name.as_str()) {
                continue;
            }
            let role = role::of_input(node, index, &makers, &roles);
            match first.get(name.as_str()) {
                None => {
                    first.insert(name, role);
                }
                Some(other) if *other != role || role.is_of_batch_norm() => tied.push((place, index)),
                Some(_) => {}
            }
        }
    }
    tied
}

/// Makes `tensor` the product of what it was and a constant mask over its channels, under the same name; what
/// it was is called `unmasked`.
pub(super) fn insert_mask(graph: GraphProto, tensor: &str, mask: &[f32]) -> GraphProto {
    let mut graph = graph;
    let mut names = GraphBuilder::extending(GraphProto {
        node: graph.node.clone(),
        input: graph.input.clone(),
        initializer: graph.initializer.iter().map(named_only).collect(),
        ..GraphProto::default()
    });
    let unmasked = names.unique(&format!("{tensor}_unmasked"));
    let stored = names.unique(&format!("{tensor}_mask"));
    let Some(place) = graph.node.iter().position(|node| node.output.iter().any(|name| name == tensor)) else {
        return graph;
    };
    for output in graph.node[place].output.iter_mut().filter(|output| *output == tensor) {
        output.clone_from(&unmasked);
    }
    let shape = (1, mask.len(), 1, 1);
    if let Ok(values) = ndarray::ArrayView4::from_shape(shape, mask) {
        graph.initializer.push(tensor_f32(&stored, values));
    }
    let node = NodeProto {
        input: vec![unmasked, stored],
        output: vec![tensor.to_owned()],
        name: names.unique(&format!("{tensor}_masked")),
        op_type: "Mul".to_owned(),
        attribute: Vec::new(),
        ..NodeProto::default()
    };
    graph.node.insert(place + 1, node);
    graph
}

/// A tensor without its data.
fn named_only(tensor: &TensorProto) -> TensorProto {
    TensorProto { name: tensor.name.clone(), ..TensorProto::default() }
}

#[cfg(test)]
mod tests {
    use gifthorse_network::onnx::attribute;

    use super::*;

    #[test]
    fn tensors_of_batch_normalisations_are_not_shared() {
        let mut graph = GraphBuilder::new("tied");
        let image = graph.input_f32("image", &[]);
        let ones = graph.initializer_f32("ones", ndarray::arr1(&[1.0_f32, 1.0]).view());
        let zeros = graph.node("Identity", "zeros", &[&ones], Vec::new());
        let kernel = graph.initializer_f32("kernel", ndarray::arr1(&[1.0_f32]).view());
        let first =
            graph.node("BatchNormalization", "bn1", &[&image, &ones, &zeros, &zeros, &ones], Vec::new());
        let second =
            graph.node("BatchNormalization", "bn2", &[&first, &ones, &zeros, &zeros, &ones], Vec::new());
        let third = graph.node("Conv", "conv1", &[&second, &kernel], vec![attribute::int("group", 1)]);
        graph.node("Conv", "conv2", &[&third, &kernel], Vec::new());
        let prepared = prepare(graph.finish()).graph.unwrap();
        assert!(prepared.node.iter().all(|node| node.op_type != "Identity"));
        let read: Vec<&String> = prepared.node[..2].iter().flat_map(|node| &node.input[1..]).collect();
        assert_eq!(read.iter().collect::<HashSet<_>>().len(), 8, "{read:?}");
        assert_eq!(prepared.node[2].input[1], prepared.node[3].input[1], "kernels stay shared");
    }
}
