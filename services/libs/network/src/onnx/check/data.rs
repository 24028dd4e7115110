//! Constant tensors: as much data as the shape says, and finite.

use super::node_name;
use crate::NetworkError;
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{NodeProto, TensorProto};

/// Count of elements of a tensor of these sizes.
///
/// # Errors
/// [`NetworkError::Damaged`] when a size is negative or the product does not fit.
pub(in crate::onnx) fn element_count(tensor: &TensorProto) -> Result<usize, NetworkError> {
    let mut count = 1_usize;
    for size in &tensor.dims {
        let size = usize::try_from(*size).map_err(|_| damaged(tensor, &format!("has the size {size}")))?;
        // A zero among the sizes must not hide an overflow of the others.
        count = count.checked_mul(size.max(1)).ok_or_else(|| {
            damaged(tensor, &format!("has the shape {:?}, whose product overflows", tensor.dims))
        })?;
    }
    Ok(if tensor.dims.contains(&0) { 0 } else { count })
}

/// No operator takes more axes; a longer list is a fault or an attempt to waste our time.
pub(in crate::onnx) const MOST_AXES: usize = 64;

pub(super) fn check(tensor: &TensorProto) -> Result<(), NetworkError> {
    if tensor.dims.len() > MOST_AXES {
        return Err(damaged(tensor, &format!("has {} axes, more than {MOST_AXES}", tensor.dims.len())));
    }
    let kind = tensor.kind();
    if kind == DataType::Undefined {
        return Err(damaged(tensor, &format!("has the unknown data type {}", tensor.data_type)));
    }
    if tensor.segment.is_some() {
        let what = format!("tensor {:?} in segments", tensor.name);
        return Err(NetworkError::Unsupported { what, hint: "store it whole".to_owned() });
    }
    check_length(tensor, kind)?;
    check_finite(tensor, kind)
}

/// Checks the constants inside a node, numbers included.
pub(super) fn check_attributes(node: &NodeProto) -> Result<(), NetworkError> {
    for attribute in &node.attribute {
        attribute.t.iter().chain(&attribute.tensors).try_for_each(check)?;
        // An infinite number is a bound (of Clip, say) and sound; NaN never is.
        let numbers = attribute.f.iter().chain(&attribute.floats);
        if let Some(index) = numbers.clone().position(|number| number.is_nan()) {
            let tensor = format!("{}.{}", node_name(node), attribute.name);
            return Err(NetworkError::NotFinite { tensor, index, value: "NaN".to_owned() });
        }
    }
    Ok(())
}

/// Bits of one element in raw data; none for texts, which cannot be raw.
const fn bits(kind: DataType) -> Option<usize> {
    use DataType as D;
    Some(match kind {
        D::Undefined | D::String => return None,
        D::Uint2 | D::Int2 => 2,
        D::Uint4 | D::Int4 | D::Float4e2m1 => 4,
        D::Uint8
        | D::Int8
        | D::Bool
        | D::Float8e4m3fn
        | D::Float8e4m3fnuz
        | D::Float8e5m2
        | D::Float8e5m2fnuz
        | D::Float8e8m0 => 8,
        D::Uint16 | D::Int16 | D::Float16 | D::Bfloat16 => 16,
        D::Float | D::Int32 | D::Uint32 => 32,
        D::Double | D::Int64 | D::Uint64 | D::Complex64 => 64,
        D::Complex128 => 128,
    })
}

/// The typed field that may hold this type, by name, and how many entries `count` elements take there.
fn typed_field(kind: DataType, count: usize) -> (&'static str, usize) {
    use DataType as D;
    match kind {
        D::Float => ("float_data", count),
        D::Complex64 => ("float_data", count.saturating_mul(2)),
        D::Double => ("double_data", count),
        D::Complex128 => ("double_data", count.saturating_mul(2)),
        D::Int64 => ("int64_data", count),
        D::Uint32 | D::Uint64 => ("uint64_data", count),
        D::String => ("string_data", count),
        D::Uint2 | D::Int2 => ("int32_data", count.div_ceil(4)),
        D::Uint4 | D::Int4 | D::Float4e2m1 => ("int32_data", count.div_ceil(2)),
        _ => ("int32_data", count),
    }
}

fn check_length(tensor: &TensorProto, kind: DataType) -> Result<(), NetworkError> {
    let count = element_count(tensor)?;
    let fields = [
        ("float_data", tensor.float_data.len()),
        ("int32_data", tensor.int32_data.len()),
        ("string_data", tensor.string_data.len()),
        ("int64_data", tensor.int64_data.len()),
        ("double_data", tensor.double_data.len()),
        ("uint64_data", tensor.uint64_data.len()),
    ];
    let mut filled = fields.into_iter().filter(|(_, length)| *length > 0);
    let (field, found, wanted) = match (filled.next(), bits(kind)) {
        (None, Some(bits)) => ("raw_data bytes", tensor.raw_data.len(), raw_length(count, bits)),
        (None, None) => ("string_data", 0, Some(count)),
        (Some((field, found)), _) => {
            let (right, wanted) = typed_field(kind, count);
            if field != right || filled.next().is_some() || !tensor.raw_data.is_empty() {
                let fault = format!("of type {} holds data in {field}, where it does not belong", name(kind));
                return Err(damaged(tensor, &fault));
            }
            (field, found, Some(wanted))
        }
    };
    if wanted == Some(found) {
        return Ok(());
    }
    let wanted = wanted.map_or_else(|| "more than memory can hold".to_owned(), |wanted| wanted.to_string());
    let (shape, kind) = (&tensor.dims, name(kind));
    let fault = format!("of shape {shape:?} and type {kind} needs {wanted} {field}, has {found}");
    Err(damaged(tensor, &fault))
}

fn raw_length(count: usize, bits: usize) -> Option<usize> {
    count.checked_mul(bits).map(|bits| bits.div_ceil(8))
}

fn name(kind: DataType) -> &'static str {
    kind.as_str_name()
}

fn check_finite(tensor: &TensorProto, kind: DataType) -> Result<(), NetworkError> {
    let raw = &tensor.raw_data;
    let typed_halves = || tensor.int32_data.iter().map(|bits| *bits as u16);
    let raw_halves = || raw.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    let raw_floats = || raw.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let raw_doubles = || raw.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    let fault = match kind {
        DataType::Float | DataType::Complex64 => {
            first_fault(raw_floats().chain(tensor.float_data.iter().copied()).map(f64::from))
        }
        DataType::Double | DataType::Complex128 => {
            first_fault(raw_doubles().chain(tensor.double_data.iter().copied()))
        }
        DataType::Float16 => {
            first_fault(raw_halves().chain(typed_halves()).map(|bits| special(bits, 0x7c00, 0x03ff)))
        }
        DataType::Bfloat16 => {
            first_fault(raw_halves().chain(typed_halves()).map(|bits| special(bits, 0x7f80, 0x007f)))
        }
        _ => None,
    };
    match fault {
        None => Ok(()),
        // A scalar is a bound or a factor, not a weight: Clip is written with an infinite bound at times.
        Some((_, value)) if tensor.dims.is_empty() && value.is_infinite() => Ok(()),
        Some((index, value)) => {
            Err(NetworkError::NotFinite { tensor: tensor.name.clone(), index, value: value.to_string() })
        }
    }
}

fn first_fault(values: impl Iterator<Item = f64>) -> Option<(usize, f64)> {
    values.enumerate().find(|(_, value)| !value.is_finite())
}

/// NaN or infinity where the bits of a 16-bit float say so, zero for every finite number.
fn special(bits: u16, exponent: u16, fraction: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    match (bits & exponent == exponent, bits & fraction == 0) {
        (false, _) => 0.0,
        (true, true) => sign * f64::INFINITY,
        (true, false) => f64::NAN,
    }
}

fn damaged(tensor: &TensorProto, fault: &str) -> NetworkError {
    NetworkError::Damaged { fault: format!("tensor {:?} {fault}", tensor.name) }
}
