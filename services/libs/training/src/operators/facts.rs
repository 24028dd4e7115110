//! What is known of a graph before it runs: its constants and the version of its operators.

use std::collections::HashMap;

use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{NodeProto, TensorProto};

/// Constants of the graph that configure operators.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// Version of the standard operators.
    pub(crate) opset: i64,
    constants: HashMap<&'a str, &'a TensorProto>,
    /// How many dropout layers were built: each draws for itself.
    dropouts: std::cell::Cell<u32>,
}

impl<'a> Facts<'a> {
    /// The constants of a graph.
    pub(crate) fn new(opset: i64, constants: &'a [TensorProto]) -> Self {
        let constants = constants.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        Self { opset, constants, dropouts: std::cell::Cell::new(0) }
    }

    /// A number for the next dropout layer.
    pub(super) fn next_dropout(&self) -> u32 {
        self.dropouts.replace(self.dropouts.get() + 1)
    }

    fn input(&self, node: &NodeProto, index: usize) -> Option<Result<&'a TensorProto, String>> {
        let name = node.input.get(index).filter(|name| !name.is_empty())?;
        let constant = self.constants.get(name.as_str()).copied();
        Some(constant.ok_or_else(|| format!("its input {index} ({name:?}) is not a constant")))
    }

    /// The axes of the constant that is this input; none when it is not a constant.
    pub(super) fn rank(&self, node: &NodeProto, index: usize) -> Option<usize> {
        Some(self.input(node, index)?.ok()?.dims.len())
    }

    /// Integers that an input gives; none when it is left out, a reason when it is not constant.
    pub(super) fn integers(&self, node: &NodeProto, index: usize) -> Result<Option<Vec<i64>>, String> {
        let Some(constant) = self.input(node, index) else { return Ok(None) };
        integers(constant?).map(Some).ok_or_else(|| format!("its input {index} does not hold integers"))
    }

    /// The number that an input gives; none when it is left out, a reason when it is not constant.
    pub(super) fn number(&self, node: &NodeProto, index: usize) -> Result<Option<f64>, String> {
        let Some(constant) = self.input(node, index) else { return Ok(None) };
        match numbers(constant?).as_deref() {
            Some([number]) => Ok(Some(*number)),
            _ => Err(format!("its input {index} is not one number")),
        }
    }

    /// Axes of a node: an attribute in older opsets, this input in newer ones.
    pub(super) fn axes(&self, node: &NodeProto, index: usize) -> Result<Option<Vec<i64>>, String> {
        match node.ints("axes") {
            Some(axes) => Ok(Some(axes.to_vec())),
            None => self.integers(node, index),
        }
    }
}

/// The elements of an integer tensor.
pub(crate) fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    let raw = &tensor.raw_data;
    match tensor.kind() {
        DataType::Int64 if raw.is_empty() => Some(tensor.int64_data.clone()),
        DataType::Int64 => Some(raw.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
        DataType::Int32 if raw.is_empty() => {
            Some(tensor.int32_data.iter().map(|value| i64::from(*value)).collect())
        }
        DataType::Int32 => {
            Some(raw.as_chunks().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect())
        }
        DataType::Bool if raw.is_empty() => {
            Some(tensor.int32_data.iter().map(|value| i64::from(*value)).collect())
        }
        DataType::Bool => Some(raw.iter().map(|byte| i64::from(*byte)).collect()),
        _ => None,
    }
}

/// The elements of an FP32 tensor.
pub(crate) fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.kind() != DataType::Float {
        return None;
    }
    let raw = &tensor.raw_data;
    Some(if raw.is_empty() {
        tensor.float_data.clone()
    } else {
        raw.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    })
}

fn numbers(tensor: &TensorProto) -> Option<Vec<f64>> {
    match floats(tensor) {
        Some(floats) => Some(floats.into_iter().map(f64::from).collect()),
        None => integers(tensor).map(|integers| integers.into_iter().map(|value| value as f64).collect()),
    }
}
