//! Writing a network that came from Keras back as a full Keras model.

mod config;
mod file;
mod order;

use std::path::Path;

use prost::Message;

use super::fault::{damaged, shortened};
use super::parameter::Parameter;
use super::{Architecture, source};
use crate::NetworkError;
use crate::description::{NetworkDescription, SourceKind};
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{GraphProto, ModelProto, NodeProto, TensorProto};

pub(super) use file::write as write_h5;

const FORMAT: &str = "a Keras .h5 model";

fn not_exportable(reason: impl Into<String>) -> NetworkError {
    NetworkError::NotExportable { format: FORMAT, reason: reason.into() }
}

/// Writes the weights of `onnx` as a full Keras model (description and weights) to `destination`.
///
/// `source` is the file the network was imported from, with the `architecture` given then: the layers come
/// from there, the weights from the initializers of `onnx`, found by name. The description is brought to a
/// form that Keras 2 and Keras 3 load; initialisers, regularisers, constraints and the training state are
/// left out. An existing file at `destination` is replaced.
///
/// # Errors
///
/// [`NetworkError::NotExportable`] when the network did not come from Keras or its nodes are no longer those
/// of the source (only weights may have changed: pruned channels are zeroed weights, not mask nodes);
/// [`NetworkError::NotFinite`] for NaN or infinite weights; otherwise as for [`super::import`].
pub fn export_h5(
    onnx: &[u8],
    description: &NetworkDescription,
    source: &Path,
    architecture: Option<&Architecture>,
    destination: &Path,
) -> Result<(), NetworkError> {
    if description.source == SourceKind::Onnx {
        return Err(not_exportable("it was imported from ONNX; export it as ONNX"));
    }
    let classifier = source::read(source, architecture)?;
    let model = ModelProto::decode(onnx).map_err(|error| damaged(format!("the ONNX model: {error}")))?;
    let graph = model.graph.ok_or_else(|| damaged("the ONNX model has no graph"))?;
    let original = classifier.onnx.graph.unwrap_or_default();
    check_nodes(&original, &graph)?;
    check_constants(&original, &graph, &classifier.parameters)?;
    let mut weights = Vec::with_capacity(classifier.parameters.len());
    for parameter in &classifier.parameters {
        weights.push((parameter, values(parameter, &original, &graph)?));
    }
    let version = classifier.description.producer.trim_start_matches("Keras ");
    file::write(destination, &classifier.model, version, &weights)
}

/// A node without what does not matter to its result.
fn essence(node: &NodeProto) -> (&str, &str, &[String], &[String], Vec<Vec<u8>>) {
    let mut attributes: Vec<_> = node.attribute.iter().map(Message::encode_to_vec).collect();
    attributes.sort_unstable();
    (&node.op_type, &node.domain, &node.input, &node.output, attributes)
}

/// Checks that both graphs compute the same from their weights.
fn check_nodes(original: &GraphProto, graph: &GraphProto) -> Result<(), NetworkError> {
    let name = |node: &NodeProto| shortened(node.output.first().map_or("", String::as_str));
    for (known, node) in original.node.iter().zip(&graph.node) {
        if essence(known) != essence(node) {
            return Err(not_exportable(format!(
                "its node {:?} ({}) is not the source's {:?} ({}); only weights may differ",
                name(node),
                shortened(&node.op_type),
                name(known),
                known.op_type
            )));
        }
    }
    if original.node.len() != graph.node.len() {
        let (found, expected) = (graph.node.len(), original.node.len());
        return Err(not_exportable(format!(
            "it has {found} nodes, the source {expected}; only weights may differ"
        )));
    }
    Ok(())
}

fn initializer<'a>(graph: &'a GraphProto, name: &str) -> Result<&'a TensorProto, NetworkError> {
    let found = graph.initializer.iter().find(|tensor| tensor.name == name);
    found.ok_or_else(|| not_exportable(format!("it has no initializer {:?}", shortened(name))))
}

/// Checks that the numbers that are no Keras weights (pads, shapes, slopes) are as in the source.
fn check_constants(
    original: &GraphProto,
    graph: &GraphProto,
    parameters: &[Parameter],
) -> Result<(), NetworkError> {
    let weights: std::collections::HashSet<&str> =
        parameters.iter().map(|parameter| parameter.initializer.as_str()).collect();
    for constant in original.initializer.iter().filter(|tensor| !weights.contains(tensor.name.as_str())) {
        let found = initializer(graph, &constant.name)?;
        let same = constant.dims == found.dims
            && constant.data_type == found.data_type
            && constant.raw_data == found.raw_data;
        if !same {
            let name = shortened(&constant.name);
            return Err(not_exportable(format!("its constant {name:?} is not that of the source")));
        }
    }
    Ok(())
}

/// The values of a weight in the order of Keras.
fn values(
    parameter: &Parameter,
    original: &GraphProto,
    graph: &GraphProto,
) -> Result<ndarray::ArrayD<f32>, NetworkError> {
    let name = parameter.initializer.as_str();
    let tensor = initializer(graph, name)?;
    let expected = &initializer(original, name)?.dims;
    if tensor.dims != *expected || tensor.data_type != i32::from(DataType::Float) {
        let (found, shown) = (&tensor.dims, shortened(name));
        return Err(not_exportable(format!(
            "its weight {shown:?} is {found:?}, FP32 {expected:?} is needed"
        )));
    }
    let values: Vec<f32> = if tensor.float_data.is_empty() {
        let chunks = tensor.raw_data.as_chunks::<4>().0;
        chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    } else {
        tensor.float_data.clone()
    };
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(NetworkError::NotFinite {
            tensor: name.to_owned(),
            index,
            value: values[index].to_string(),
        });
    }
    let keras = parameter.storage.to_keras(&parameter.shape, &values);
    keras.map_err(|error| damaged(format!("the weight {:?}: {error}", shortened(name))))
}
