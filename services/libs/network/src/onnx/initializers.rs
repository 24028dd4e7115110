//! Weights of a graph as arrays: reading and replacing them by name.

use ndarray::{ArrayD, ArrayView, Dimension, IxDyn};

use super::build::tensor_f32;
use super::messages::tensor_proto::DataType;
use super::messages::{GraphProto, NodeProto, TensorProto};
use crate::NetworkError;

/// The FP32 constant of this name, an initializer or the value of a Constant node, in its own shape.
///
/// # Errors
/// [`NetworkError::Damaged`] when there is no such constant or its data does not fit its shape;
/// [`NetworkError::Unsupported`] when it is of another type.
pub fn read_f32(graph: &GraphProto, name: &str) -> Result<ArrayD<f32>, NetworkError> {
    let initializer = graph.initializer.iter().find(|tensor| tensor.name == name);
    let constant = || {
        let makes = |output: &String| output == name;
        let node = graph.node.iter().find(|node| node.output.first().is_some_and(makes))?;
        if node.is_standard("Constant") { node.attribute_named("value")?.t.as_ref() } else { None }
    };
    array(name, initializer.or_else(constant).ok_or_else(|| missing(name))?)
}

/// Puts other values into the FP32 constant of this name; shape and place stay as they are.
///
/// # Errors
/// As [`read_f32`], and [`NetworkError::Damaged`] when `values` has another shape.
pub fn replace_f32<D: Dimension>(
    graph: &mut GraphProto,
    name: &str,
    values: ArrayView<'_, f32, D>,
) -> Result<(), NetworkError> {
    let initializer = graph.initializer.iter_mut().find(|tensor| tensor.name == name);
    let tensor = match initializer {
        None => constant_node(&mut graph.node, name),
        some => some,
    };
    let tensor = tensor.ok_or_else(|| missing(name))?;
    let found = array(name, tensor)?;
    if found.shape() != values.shape() {
        return Err(NetworkError::Damaged {
            fault: format!(
                "tensor {name:?} has the shape {:?}, its new values have {:?}",
                found.shape(),
                values.shape()
            ),
        });
    }
    let written = tensor_f32(name, values);
    tensor.raw_data = written.raw_data;
    tensor.float_data.clear();
    Ok(())
}

/// The value of the Constant node that makes this tensor.
fn constant_node<'a>(nodes: &'a mut [NodeProto], name: &str) -> Option<&'a mut TensorProto> {
    let makes = |output: &String| output == name;
    let node = nodes.iter_mut().find(|node| node.output.first().is_some_and(makes))?;
    if !node.is_standard("Constant") {
        return None;
    }
    node.attribute.iter_mut().find(|attribute| attribute.name == "value")?.t.as_mut()
}

fn array(name: &str, tensor: &TensorProto) -> Result<ArrayD<f32>, NetworkError> {
    if tensor.kind() != DataType::Float {
        return Err(NetworkError::Unsupported {
            what: format!("tensor {name:?} of data type {}", tensor.kind().as_str_name()),
            hint: "weights are read and written as FP32 (FLOAT)".to_owned(),
        });
    }
    let values: Vec<f32> = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        tensor.raw_data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let shape: Vec<usize> =
        tensor.dims.iter().map(|size| usize::try_from(*size).unwrap_or_default()).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|error| NetworkError::Damaged { fault: format!("tensor {name:?}: {error}") })
}

fn missing(name: &str) -> NetworkError {
    NetworkError::Damaged { fault: format!("there is no constant tensor {name:?}") }
}
