//! Types of inputs and outputs: reading them, and naming them for people.

use super::messages::tensor_proto::DataType;
use super::messages::tensor_shape_proto::Dimension;
use super::messages::tensor_shape_proto::dimension::Value as Size;
use super::messages::{TensorProto, TypeProto, ValueInfoProto, type_proto};

impl TensorProto {
    /// Element type; undefined for numbers the format does not know.
    pub fn kind(&self) -> DataType {
        DataType::try_from(self.data_type).unwrap_or(DataType::Undefined)
    }
}

/// Element type and axes of a dense tensor; none for every other type. The axes are absent when even their
/// count is unknown, and an axis is none when its size is free.
pub(super) fn tensor_of(info: &ValueInfoProto) -> Option<(DataType, Option<Vec<Option<u64>>>)> {
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()? else { return None };
    let kind = DataType::try_from(tensor.elem_type).unwrap_or(DataType::Undefined);
    Some((kind, tensor.shape.as_ref().map(|shape| shape.dim.iter().map(fixed).collect())))
}

/// The size of an axis; some exporters write a free axis as zero or less.
fn fixed(dimension: &Dimension) -> Option<u64> {
    match dimension.value {
        Some(Size::DimValue(size)) => u64::try_from(size).ok().filter(|size| *size > 0),
        _ => None,
    }
}

/// `FLOAT [N, 3, 224, 224]`, `a sequence` and so on.
pub(super) fn described(info: &ValueInfoProto) -> String {
    use type_proto::Value as V;
    let of = info.r#type.as_ref().and_then(|type_proto: &TypeProto| type_proto.value.as_ref());
    match of {
        None => "of no stated type".to_owned(),
        Some(V::SequenceType(_)) => "a sequence".to_owned(),
        Some(V::MapType(_)) => "a map".to_owned(),
        Some(V::OpaqueType(_)) => "an opaque value".to_owned(),
        Some(V::SparseTensorType(_)) => "a sparse tensor".to_owned(),
        Some(V::OptionalType(_)) => "an optional value".to_owned(),
        Some(V::TensorType(tensor)) => {
            let kind = DataType::try_from(tensor.elem_type).unwrap_or(DataType::Undefined);
            let Some(shape) = &tensor.shape else { return format!("{} of unknown rank", kind.as_str_name()) };
            let sizes = shape.dim.iter().take(8).map(|dimension| match &dimension.value {
                Some(Size::DimValue(size)) => size.to_string(),
                Some(Size::DimParam(name)) if !name.is_empty() => name.clone(),
                _ => "?".to_owned(),
            });
            let more = if shape.dim.len() > 8 { ", ..." } else { "" };
            format!("{} [{}{more}]", kind.as_str_name(), sizes.collect::<Vec<_>>().join(", "))
        }
    }
}
