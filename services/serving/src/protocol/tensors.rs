//! Tensors of the protocol to and from the engine's.
//!
//! Raw contents pass without a copy. Typed contents are turned into the raw form on the way in and, when the
//! request was typed, back on the way out: a request is answered in the form it came in.

use bytes::{BufMut, Bytes, BytesMut};
use gifthorse_api::inference::model_infer_request::InferInputTensor;
use gifthorse_api::inference::model_infer_response::InferOutputTensor;
use gifthorse_api::inference::{InferTensorContents, ModelInferRequest};
use gifthorse_engine::{Datatype, NamedTensor, Tensor};
use tonic::Status;

use gifthorse_api::status::status_of;

use super::error::ProtocolError;

/// In which form the tensors of a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Raw,
    Typed,
}

/// Takes the tensors out of a request, in its order.
pub(super) fn take_inputs(request: &mut ModelInferRequest) -> Result<(Vec<NamedTensor>, Form), Status> {
    let inputs = std::mem::take(&mut request.inputs);
    let raw = std::mem::take(&mut request.raw_input_contents);
    let form = if raw.is_empty() { Form::Typed } else { Form::Raw };
    if form == Form::Raw && raw.len() != inputs.len() {
        let error = ProtocolError::RawCount { expected: inputs.len(), found: raw.len() };
        return Err(status_of(&error));
    }
    let mut raw = raw.into_iter();
    let tensors = inputs
        .into_iter()
        .enumerate()
        .map(|(index, input)| named_tensor(index, input, raw.next()))
        .collect::<Result<_, _>>()?;
    Ok((tensors, form))
}

fn named_tensor(index: usize, input: InferInputTensor, raw: Option<Bytes>) -> Result<NamedTensor, Status> {
    if input.parameters.keys().any(|key| key.starts_with("shared_memory")) {
        let error = ProtocolError::Parameter {
            parameter: "shared_memory_region".to_owned(),
            hint: "send the tensor in the request",
        };
        return Err(status_of(&error));
    }
    let datatype = Datatype::from_text(&input.datatype).map_err(|error| status_of(&error))?;
    let shape = shape(index, &input)?;
    let data = match (raw, input.contents) {
        (Some(_), Some(contents)) if filled(&contents).is_some() => {
            return Err(status_of(&ProtocolError::MixedContents { index, name: input.name }));
        }
        (Some(raw), _) => raw,
        (None, contents) => {
            let contents = contents.unwrap_or_default();
            pack(index, &input.name, datatype, contents).map_err(|error| status_of(&error))?
        }
    };
    Ok(NamedTensor { name: input.name, tensor: Tensor { datatype, shape, data } })
}

fn shape(index: usize, input: &InferInputTensor) -> Result<Vec<u64>, Status> {
    input
        .shape
        .iter()
        .map(|axis| {
            u64::try_from(*axis).map_err(|_| {
                let error = ProtocolError::NegativeAxis { index, name: input.name.clone(), axis: *axis };
                status_of(&error)
            })
        })
        .collect()
}

/// The field that is filled, if one is.
fn filled(contents: &InferTensorContents) -> Option<&'static str> {
    [
        ("bool_contents", contents.bool_contents.is_empty()),
        ("int_contents", contents.int_contents.is_empty()),
        ("int64_contents", contents.int64_contents.is_empty()),
        ("uint_contents", contents.uint_contents.is_empty()),
        ("uint64_contents", contents.uint64_contents.is_empty()),
        ("fp32_contents", contents.fp32_contents.is_empty()),
        ("fp64_contents", contents.fp64_contents.is_empty()),
        ("bytes_contents", contents.bytes_contents.is_empty()),
    ]
    .into_iter()
    .find_map(|(field, empty)| (!empty).then_some(field))
}

const fn field_of(datatype: Datatype) -> Option<&'static str> {
    match datatype {
        Datatype::Bool => Some("bool_contents"),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => Some("int_contents"),
        Datatype::Int64 => Some("int64_contents"),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => Some("uint_contents"),
        Datatype::Uint64 => Some("uint64_contents"),
        Datatype::Fp32 => Some("fp32_contents"),
        Datatype::Fp64 => Some("fp64_contents"),
        Datatype::Fp16 | Datatype::Bf16 => None,
    }
}

fn pack(
    index: usize,
    name: &str,
    datatype: Datatype,
    contents: InferTensorContents,
) -> Result<Bytes, ProtocolError> {
    let Some(expected) = field_of(datatype) else {
        return Err(ProtocolError::OnlyRaw { index, name: name.to_owned(), datatype: datatype.to_string() });
    };
    if let Some(field) = filled(&contents).filter(|field| *field != expected) {
        let (name, datatype) = (name.to_owned(), datatype.to_string());
        return Err(ProtocolError::ContentsField { index, name, datatype, field, expected });
    }
    let outside = |value: String| ProtocolError::OutsideType {
        index,
        name: name.to_owned(),
        datatype: datatype.to_string(),
        value,
    };
    let mut bytes = BytesMut::new();
    match datatype {
        Datatype::Bool => bytes.extend(contents.bool_contents.iter().map(|value| u8::from(*value))),
        Datatype::Int8 => {
            for value in contents.int_contents {
                bytes.put_i8(i8::try_from(value).map_err(|_| outside(value.to_string()))?);
            }
        }
        Datatype::Int16 => {
            for value in contents.int_contents {
                bytes.put_i16_le(i16::try_from(value).map_err(|_| outside(value.to_string()))?);
            }
        }
        Datatype::Int32 => contents.int_contents.iter().for_each(|value| bytes.put_i32_le(*value)),
        Datatype::Int64 => contents.int64_contents.iter().for_each(|value| bytes.put_i64_le(*value)),
        Datatype::Uint8 => {
            for value in contents.uint_contents {
                bytes.put_u8(u8::try_from(value).map_err(|_| outside(value.to_string()))?);
            }
        }
        Datatype::Uint16 => {
            for value in contents.uint_contents {
                bytes.put_u16_le(u16::try_from(value).map_err(|_| outside(value.to_string()))?);
            }
        }
        Datatype::Uint32 => contents.uint_contents.iter().for_each(|value| bytes.put_u32_le(*value)),
        Datatype::Uint64 => contents.uint64_contents.iter().for_each(|value| bytes.put_u64_le(*value)),
        Datatype::Fp32 => contents.fp32_contents.iter().for_each(|value| bytes.put_f32_le(*value)),
        Datatype::Fp64 => contents.fp64_contents.iter().for_each(|value| bytes.put_f64_le(*value)),
        // `field_of` has no field for these, so they were refused above.
        Datatype::Fp16 | Datatype::Bf16 => {}
    }
    Ok(bytes.freeze())
}

/// Answers tensors in the given form. Half-precision tensors have no typed form: with one of them among the
/// outputs, all are answered raw, as the protocol asks.
pub(super) fn put_outputs(tensors: Vec<NamedTensor>, form: Form) -> (Vec<InferOutputTensor>, Vec<Bytes>) {
    let typed = form == Form::Typed && tensors.iter().all(|named| field_of(named.tensor.datatype).is_some());
    let mut raw = Vec::with_capacity(if typed { 0 } else { tensors.len() });
    let outputs = tensors
        .into_iter()
        .map(|NamedTensor { name, tensor }| {
            let contents = if typed {
                Some(unpack(tensor.datatype, &tensor.data))
            } else {
                raw.push(tensor.data);
                None
            };
            InferOutputTensor {
                name,
                datatype: tensor.datatype.as_str().to_owned(),
                shape: tensor.shape.iter().map(|axis| *axis as i64).collect(),
                contents,
                ..InferOutputTensor::default()
            }
        })
        .collect();
    (outputs, raw)
}

fn unpack(datatype: Datatype, data: &[u8]) -> InferTensorContents {
    fn each<const N: usize, T>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
        data.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
    }
    let mut contents = InferTensorContents::default();
    match datatype {
        Datatype::Bool => contents.bool_contents = data.iter().map(|byte| *byte != 0).collect(),
        Datatype::Int8 => contents.int_contents = each(data, |bytes| i8::from_le_bytes(bytes).into()),
        Datatype::Int16 => contents.int_contents = each(data, |bytes| i16::from_le_bytes(bytes).into()),
        Datatype::Int32 => contents.int_contents = each(data, i32::from_le_bytes),
        Datatype::Int64 => contents.int64_contents = each(data, i64::from_le_bytes),
        Datatype::Uint8 => contents.uint_contents = each(data, |bytes| u8::from_le_bytes(bytes).into()),
        Datatype::Uint16 => contents.uint_contents = each(data, |bytes| u16::from_le_bytes(bytes).into()),
        Datatype::Uint32 => contents.uint_contents = each(data, u32::from_le_bytes),
        Datatype::Uint64 => contents.uint64_contents = each(data, u64::from_le_bytes),
        Datatype::Fp32 => contents.fp32_contents = each(data, f32::from_le_bytes),
        Datatype::Fp64 => contents.fp64_contents = each(data, f64::from_le_bytes),
        // `put_outputs` answers these raw.
        Datatype::Fp16 | Datatype::Bf16 => {}
    }
    contents
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn request(datatype: &str, shape: &[i64], contents: InferTensorContents) -> ModelInferRequest {
        ModelInferRequest {
            inputs: vec![InferInputTensor {
                name: "x".to_owned(),
                datatype: datatype.to_owned(),
                shape: shape.to_vec(),
                contents: Some(contents),
                ..InferInputTensor::default()
            }],
            ..ModelInferRequest::default()
        }
    }

    #[test]
    fn typed_contents_round_trip_for_every_type() {
        let cases = [
            ("BOOL", InferTensorContents { bool_contents: vec![true, false], ..Default::default() }),
            ("INT8", InferTensorContents { int_contents: vec![-128, 127], ..Default::default() }),
            ("INT16", InferTensorContents { int_contents: vec![-32768, 5], ..Default::default() }),
            ("INT32", InferTensorContents { int_contents: vec![i32::MIN, 5], ..Default::default() }),
            ("INT64", InferTensorContents { int64_contents: vec![i64::MIN, 5], ..Default::default() }),
            ("UINT8", InferTensorContents { uint_contents: vec![0, 255], ..Default::default() }),
            ("UINT16", InferTensorContents { uint_contents: vec![0, 65535], ..Default::default() }),
            ("UINT32", InferTensorContents { uint_contents: vec![0, u32::MAX], ..Default::default() }),
            ("UINT64", InferTensorContents { uint64_contents: vec![0, u64::MAX], ..Default::default() }),
            ("FP32", InferTensorContents { fp32_contents: vec![0.5, -1.0], ..Default::default() }),
            ("FP64", InferTensorContents { fp64_contents: vec![0.5, -1.0], ..Default::default() }),
        ];
        for (datatype, contents) in cases {
            let (tensors, form) = take_inputs(&mut request(datatype, &[2], contents.clone())).unwrap();
            assert_eq!(form, Form::Typed);
            let (outputs, raw) = put_outputs(tensors, form);
            assert!(raw.is_empty());
            assert_eq!(outputs[0].contents.as_ref(), Some(&contents), "{datatype}");
        }
    }

    #[test]
    fn values_outside_their_type_are_refused() {
        for (datatype, contents) in [
            ("INT8", InferTensorContents { int_contents: vec![128], ..Default::default() }),
            ("UINT8", InferTensorContents { uint_contents: vec![256], ..Default::default() }),
        ] {
            let status = take_inputs(&mut request(datatype, &[1], contents)).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains(datatype), "{}", status.message());
        }
    }

    #[test]
    fn raw_and_typed_do_not_mix() {
        let contents = InferTensorContents { fp32_contents: vec![0.5], ..Default::default() };
        let mut mixed = request("FP32", &[1], contents);
        mixed.raw_input_contents = vec![Bytes::from_static(&[0; 4])];
        assert!(take_inputs(&mut mixed).unwrap_err().message().contains("all tensors raw or all typed"));

        let mut counted = request("FP32", &[1], InferTensorContents::default());
        counted.raw_input_contents = vec![Bytes::new(), Bytes::new()];
        assert!(take_inputs(&mut counted).unwrap_err().message().contains("2 entries for 1 inputs"));
    }

    #[test]
    fn contents_must_be_of_the_declared_type() {
        let contents = InferTensorContents { fp64_contents: vec![0.5], ..Default::default() };
        let status = take_inputs(&mut request("FP32", &[1], contents)).unwrap_err();
        assert!(status.message().contains("fill fp32_contents"), "{}", status.message());
        let contents = InferTensorContents { fp32_contents: vec![0.5], ..Default::default() };
        let status = take_inputs(&mut request("FP16", &[1], contents)).unwrap_err();
        assert!(status.message().contains("only in raw_input_contents"), "{}", status.message());
    }
}
