//! Tensors of the wrong shape, type, length, name and content, by both ways in.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_api::inference::{InferTensorContents, ModelInferRequest};
use gifthorse_api::v1::ImageTensor;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::image_tensor::Content;
use gifthorse_tests::house::connect;

use crate::networks::INPUT;
use crate::refusal::assert_refused;
use crate::vigil::{SOUND, Vigil, classify};

/// Elements of the sound model's input: `[3, 8, 6]`.
const ELEMENTS: usize = 3 * 8 * 6;

fn floats(count: usize, value: f32) -> Vec<u8> {
    value.to_le_bytes().repeat(count)
}

#[tokio::test]
async fn of_the_guard() {
    use Content::{PixelsFp32, PixelsUint8, PreparedFp32, Unspecified};
    use ErrorCode::{InvalidField, TensorLength, TensorNotFinite, TensorShape};
    let mut vigil = Vigil::start().await;
    let (bytes, halves) = (vec![7; ELEMENTS], floats(ELEMENTS, 0.5));
    let sound: &[i32] = &[3, 8, 6];
    for (what, shape, content, data, code, part) in [
        ("an axis too few", &[8, 6][..], PixelsUint8, bytes.clone(), TensorShape, "shape"),
        ("an axis too many", &[1, 3, 8, 6], PreparedFp32, halves.clone(), TensorShape, "shape"),
        ("prepared, of another size", &[3, 6, 8], PreparedFp32, halves.clone(), TensorShape, "[N, 3, 8, 6]"),
        ("no axis", &[], PreparedFp32, halves.clone(), TensorShape, "shape"),
        ("a negative axis", &[3, -8, 6], PixelsUint8, bytes.clone(), InvalidField, "negative"),
        (
            "overflowing axes",
            &[i32::MAX, i32::MAX, i32::MAX],
            PixelsUint8,
            bytes.clone(),
            TensorShape,
            "shape",
        ),
        ("bytes too few", sound, PixelsUint8, bytes[1..].to_vec(), TensorLength, "values"),
        ("floats too many", sound, PreparedFp32, floats(ELEMENTS + 1, 0.5), TensorLength, "values"),
        ("half a float", sound, PreparedFp32, halves[1..].to_vec(), TensorLength, "32-bit"),
        ("no data", sound, PixelsUint8, Vec::new(), TensorLength, "values"),
        ("no type", sound, Unspecified, bytes, InvalidField, "content"),
        ("a level beyond 255", sound, PixelsFp32, floats(ELEMENTS, 256.0), InvalidField, "0 to 255"),
        ("NaN", sound, PreparedFp32, floats(ELEMENTS, f32::NAN), TensorNotFinite, "NaN"),
        ("infinity", sound, PixelsFp32, floats(ELEMENTS, f32::INFINITY), TensorNotFinite, "inf"),
    ] {
        let tensor = ImageTensor { shape: shape.to_vec(), content: content.into(), data: data.into() };
        assert_refused(what, classify(&vigil.gateway, Input::Tensor(tensor)).await, code, part);
    }
    vigil.assert_unharmed().await;
}

fn sound_tensor() -> InferInputTensor {
    InferInputTensor {
        name: INPUT.to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 3, 8, 6],
        ..InferInputTensor::default()
    }
}

fn request(tensor: InferInputTensor, raw: Vec<u8>) -> ModelInferRequest {
    ModelInferRequest {
        model_name: SOUND.to_owned(),
        inputs: vec![tensor],
        raw_input_contents: vec![raw.into()],
        ..ModelInferRequest::default()
    }
}

/// What is wrong, the request, its code, and what its message must hold.
fn wrong_requests() -> Vec<(&'static str, ModelInferRequest, ErrorCode, &'static str)> {
    use ErrorCode::{
        InvalidField, ModelNotFound, ModelVersionNotFound, TensorLength, TensorShape, TensorType,
        UnknownTensor,
    };
    let sound = || request(sound_tensor(), floats(ELEMENTS, 0.5));
    let shaped = |shape: &[i64]| {
        request(InferInputTensor { shape: shape.to_vec(), ..sound_tensor() }, floats(ELEMENTS, 0.5))
    };
    let typed = |datatype: &str| {
        request(InferInputTensor { datatype: datatype.to_owned(), ..sound_tensor() }, floats(ELEMENTS, 0.5))
    };
    let named = InferInputTensor { name: "picture".to_owned(), ..sound_tensor() };
    let contents = InferTensorContents { fp32_contents: vec![0.5; ELEMENTS - 1], ..Default::default() };
    let short = InferInputTensor { contents: Some(contents), ..sound_tensor() };
    let contents = InferTensorContents { int64_contents: vec![1; ELEMENTS], ..Default::default() };
    let foreign = InferInputTensor { contents: Some(contents), ..sound_tensor() };
    let output = InferRequestedOutputTensor { name: "nothing".to_owned(), ..Default::default() };
    let unpacked =
        |tensor| ModelInferRequest { raw_input_contents: Vec::new(), ..request(tensor, Vec::new()) };
    vec![
        ("an axis too few", shaped(&[3, 8, 6]), TensorShape, "[3, 8, 6]"),
        ("another size", shaped(&[1, 3, 6, 8]), TensorShape, "[1, 3, 6, 8]"),
        ("no rows", shaped(&[0, 3, 8, 6]), TensorShape, ""),
        ("a negative axis", shaped(&[1, 3, -8, 6]), TensorShape, "negative"),
        ("overflowing axes", shaped(&[i64::MAX, 3, 8, 6]), TensorLength, ""),
        ("more rows than data", shaped(&[2, 3, 8, 6]), TensorLength, ""),
        ("another type", typed("INT64"), TensorType, "INT64"),
        ("a type that is none", typed("FP33"), TensorType, "FP33"),
        ("bytes too few", request(sound_tensor(), floats(ELEMENTS - 1, 0.5)), TensorLength, ""),
        ("half a float", request(sound_tensor(), floats(ELEMENTS, 0.5)[1..].to_vec()), TensorLength, ""),
        ("typed values too few", unpacked(short), TensorLength, ""),
        ("values of another type", unpacked(foreign), TensorType, "fp32_contents"),
        ("another name", request(named, floats(ELEMENTS, 0.5)), UnknownTensor, "picture"),
        (
            "an unknown output",
            ModelInferRequest { outputs: vec![output], ..sound() },
            UnknownTensor,
            "nothing",
        ),
        (
            "no input",
            ModelInferRequest { inputs: Vec::new(), raw_input_contents: Vec::new(), ..sound() },
            UnknownTensor,
            INPUT,
        ),
        (
            "raw data without an input",
            ModelInferRequest { inputs: Vec::new(), ..sound() },
            InvalidField,
            "entries",
        ),
        (
            "another model",
            ModelInferRequest { model_name: "other".to_owned(), ..sound() },
            ModelNotFound,
            "other",
        ),
        (
            "another version",
            ModelInferRequest { model_version: "7".to_owned(), ..sound() },
            ModelVersionNotFound,
            "7",
        ),
    ]
}

#[tokio::test]
async fn of_the_inference_protocol() {
    let mut vigil = Vigil::start().await;
    for channel in [vigil.gateway.clone(), connect(&vigil.house.serving).await] {
        let mut client = GrpcInferenceServiceClient::new(channel);
        for (what, request, code, part) in wrong_requests() {
            assert_refused(what, client.model_infer(request).await, code, part);
        }
    }
    vigil.assert_unharmed().await;
}
