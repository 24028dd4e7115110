//! Tensors as they travel: raw little-endian bytes with a type and a shape.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::datatype::Datatype;
use crate::error::EngineError;

/// Elements in row-major order, little-endian, without padding.
///
/// Whether the length of `data` agrees with `shape` is checked when a request is made, not here: tensors come
/// from the wire as they are. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The type of an element.
    pub datatype: Datatype,
    /// Length of each axis; the first counts rows.
    pub shape: Vec<u64>,
    /// The elements.
    pub data: Bytes,
}

/// A tensor and the name of the input or output it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTensor {
    /// The name in the model.
    pub name: String,
    /// The tensor.
    pub tensor: Tensor,
}

/// What a model takes or gives under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// The name in the model.
    pub name: String,
    /// The type of an element.
    pub datatype: Datatype,
    /// Length of each axis, none where it is free.
    pub shape: Vec<Option<u64>>,
}

struct Singles(Vec<f32>);

impl AsRef<[u8]> for Singles {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl Tensor {
    /// A tensor of single-precision numbers, taking over `values` without a copy.
    pub fn from_f32(shape: Vec<u64>, values: Vec<f32>) -> Self {
        Self { datatype: Datatype::Fp32, shape, data: Bytes::from_owner(Singles(values)) }
    }

    /// The elements of an FP32 tensor, copied only where the bytes do not lie on a boundary of four.
    ///
    /// Fails with [`EngineError::Datatype`] for another type and [`EngineError::Length`] for a ragged end.
    pub fn to_f32(&self) -> Result<Cow<'_, [f32]>, EngineError> {
        if self.datatype != Datatype::Fp32 {
            return Err(EngineError::Datatype {
                index: 0,
                name: "value".to_owned(),
                expected: Datatype::Fp32,
                found: self.datatype,
            });
        }
        if let Ok(values) = bytemuck::try_cast_slice(&self.data) {
            return Ok(Cow::Borrowed(values));
        }
        let (values, rest) = self.data.as_chunks::<4>();
        if rest.is_empty() {
            Ok(Cow::Owned(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
        } else {
            let found = self.data.len() as u64;
            Err(EngineError::Length { index: 0, name: "value".to_owned(), expected: found / 4 * 4, found })
        }
    }
}

/// A shape for people and for error details: `[-1, 55, 47, 3]`, -1 where an axis is free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(pub Vec<Option<u64>>);

impl Shape {
    pub(crate) fn of(axes: &[u64]) -> Self {
        Self(axes.iter().copied().map(Some).collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (axis, length) in self.0.iter().enumerate() {
            let comma = if axis == 0 { "" } else { ", " };
            match length {
                Some(length) => write!(formatter, "{comma}{length}")?,
                None => write!(formatter, "{comma}-1")?,
            }
        }
        formatter.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_goes_in_and_out() {
        let tensor = Tensor::from_f32(vec![1, 3], vec![1.0, -2.5, 3.25]);
        assert_eq!(&*tensor.to_f32().unwrap(), [1.0, -2.5, 3.25]);

        let mut shifted = vec![0_u8; 13];
        shifted[1..].copy_from_slice(&tensor.data);
        let unaligned = Tensor { data: Bytes::from(shifted).slice(1..), ..tensor.clone() };
        assert_eq!(&*unaligned.to_f32().unwrap(), [1.0, -2.5, 3.25]);

        let ragged = Tensor { data: tensor.data.slice(..7), ..tensor.clone() };
        assert!(matches!(ragged.to_f32(), Err(EngineError::Length { expected: 4, found: 7, .. })));
        let other = Tensor { datatype: Datatype::Int32, ..tensor };
        assert!(matches!(other.to_f32(), Err(EngineError::Datatype { .. })));
    }

    #[test]
    fn shapes_print_as_the_protocol_writes_them() {
        assert_eq!(Shape(vec![None, Some(55), Some(3)]).to_string(), "[-1, 55, 3]");
        assert_eq!(Shape(vec![]).to_string(), "[]");
    }
}
