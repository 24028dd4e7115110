//! Between raw bytes and ONNX Runtime's typed values, without copying on the way in.

use bytemuck::checked::try_cast_slice;
use half::{bf16, f16};
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef};

use crate::datatype::Datatype;
use crate::network::{InputBlock, OutputBuffer};

/// Runs `$body` with `$element` as the Rust type of `$datatype`.
macro_rules! with_element {
    ($datatype:expr, $element:ident => $body:expr) => {
        match $datatype {
            Datatype::Bool => with_element!(@ $element = bool, $body),
            Datatype::Uint8 => with_element!(@ $element = u8, $body),
            Datatype::Uint16 => with_element!(@ $element = u16, $body),
            Datatype::Uint32 => with_element!(@ $element = u32, $body),
            Datatype::Uint64 => with_element!(@ $element = u64, $body),
            Datatype::Int8 => with_element!(@ $element = i8, $body),
            Datatype::Int16 => with_element!(@ $element = i16, $body),
            Datatype::Int32 => with_element!(@ $element = i32, $body),
            Datatype::Int64 => with_element!(@ $element = i64, $body),
            Datatype::Fp16 => with_element!(@ $element = f16, $body),
            Datatype::Fp32 => with_element!(@ $element = f32, $body),
            Datatype::Fp64 => with_element!(@ $element = f64, $body),
            Datatype::Bf16 => with_element!(@ $element = bf16, $body),
        }
    };
    (@ $element:ident = $type:ty, $body:expr) => {{
        type $element = $type;
        $body
    }};
}

/// The type as ONNX Runtime names it; none for strings, complex numbers and the types below eight bits.
pub(crate) fn datatype_of(element: TensorElementType) -> Option<Datatype> {
    Some(match element {
        TensorElementType::Bool => Datatype::Bool,
        TensorElementType::Uint8 => Datatype::Uint8,
        TensorElementType::Uint16 => Datatype::Uint16,
        TensorElementType::Uint32 => Datatype::Uint32,
        TensorElementType::Uint64 => Datatype::Uint64,
        TensorElementType::Int8 => Datatype::Int8,
        TensorElementType::Int16 => Datatype::Int16,
        TensorElementType::Int32 => Datatype::Int32,
        TensorElementType::Int64 => Datatype::Int64,
        TensorElementType::Float16 => Datatype::Fp16,
        TensorElementType::Float32 => Datatype::Fp32,
        TensorElementType::Float64 => Datatype::Fp64,
        TensorElementType::Bfloat16 => Datatype::Bf16,
        _ => return None,
    })
}

/// A view of the block's bytes as an input value.
pub(crate) fn input_value<'a>(block: &InputBlock<'a>) -> Result<SessionInputValue<'a>, String> {
    let shape: Vec<i64> = block.shape.iter().map(|length| *length as i64).collect();
    with_element!(block.datatype, Element => {
        let values: &'a [Element] = try_cast_slice(block.bytes).map_err(|error| error.to_string())?;
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| error.to_string())?;
        Ok(tensor.into())
    })
}

/// Appends the value's bytes to the buffer and sets its shape.
pub(crate) fn append_output(value: &DynValue, buffer: &mut OutputBuffer) -> Result<(), String> {
    fn append<Element>(value: &DynValue, buffer: &mut OutputBuffer) -> Result<(), String>
    where
        Element: PrimitiveTensorElementType + bytemuck::NoUninit,
    {
        let (shape, values) = value.try_extract_tensor::<Element>().map_err(|error| error.to_string())?;
        buffer.shape.clear();
        buffer.shape.extend(shape.iter().map(|length| *length as u64));
        buffer.data.extend_from_slice(bytemuck::cast_slice(values));
        Ok(())
    }
    with_element!(buffer.datatype, Element => append::<Element>(value, buffer))
}
