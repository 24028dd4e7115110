//! The stored numbers of a network, as tensors.

use gifthorse_network::onnx::messages::TensorProto;
use tch::{Device, Kind, TchError, Tensor};

use super::Role;
use crate::array;
use crate::operators::{Value, floats, integers};

/// A stored tensor.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether it is held as it is although its role would let it be trained.
    pub(crate) frozen: bool,
    pub(crate) value: Value,
}

/// A stored tensor as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSummary {
    /// Name of the initializer in the ONNX file.
    pub name: String,
    /// What it is to the network.
    pub role: Role,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Whether training changes it.
    pub trained: bool,
}

impl Parameter {
    /// Reads a stored tensor; a reason when it is of a type that networks of pictures have no use for.
    pub(crate) fn read(
        stored: &TensorProto,
        role: Role,
        (kind, device): (Kind, Device),
        channels_last: bool,
    ) -> Result<Self, String> {
        let value = if let Some(integers) = integers(stored) {
            Value::Integers(integers)
        } else {
            let Some(floats) = floats(stored) else {
                return Err(format!("a constant of type {}", stored.kind().as_str_name()));
            };
            let tensor = tensor(&floats, &stored.dims, kind, device).and_then(|tensor| {
                let placed = if channels_last { array::channels_last(&tensor)? } else { tensor };
                placed.f_set_requires_grad(role.is_trained())
            });
            Value::Tensor(tensor.map_err(|error| error.to_string())?)
        };
        Ok(Self { name: stored.name.clone(), role, frozen: false, value })
    }

    /// The numbers; none for the integers that configure operators.
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match &self.value {
            Value::Tensor(tensor) => Some(tensor),
            Value::Integers(_) => None,
        }
    }

    pub(crate) fn is_trained(&self) -> bool {
        self.role.is_trained() && !self.frozen && self.tensor().is_some()
    }

    pub(crate) fn summary(&self) -> Option<ParameterSummary> {
        let shape = self.tensor()?.size().iter().map(|size| *size as usize).collect();
        Some(ParameterSummary { name: self.name.clone(), role: self.role, shape, trained: self.is_trained() })
    }
}

fn tensor(floats: &[f32], dims: &[i64], kind: Kind, device: Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(floats)?.f_reshape(dims)?.f_to_kind(kind)?.f_to_device(device)
}
