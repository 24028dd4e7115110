//! ONNX Runtime as the judge of what was written.

use std::path::PathBuf;

use bytes::Bytes;
use gifthorse_engine::{Engine, EngineOptions, InferRequest, ModelOptions, NamedTensor, Tensor};
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery::expose_logits;
use ndarray::{Array2, ArrayViewD};

/// The engine, or none after saying loudly that the test is skipped.
pub(crate) fn engine() -> Option<Engine> {
    let Some(library) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) else {
        eprintln!("SKIPPED: needs ONNX Runtime: run `make runtime` and set ORT_DYLIB_PATH");
        return None;
    };
    let options = EngineOptions { library: Some(PathBuf::from(library)), threads: None };
    Some(Engine::start(&options).expect("the library that is there must start"))
}

/// The logits of a file in ONNX Runtime.
pub(crate) fn logits(
    engine: &Engine,
    onnx: &[u8],
    description: &NetworkDescription,
    images: ArrayViewD<'_, f32>,
) -> Array2<f32> {
    let file = Bytes::from(expose_logits(onnx, description).unwrap());
    let shape: Vec<u64> = images.shape().iter().map(|size| *size as u64).collect();
    let tensor = Tensor::from_f32(shape, images.iter().copied().collect());
    let input = NamedTensor { name: description.input.clone(), tensor };
    let answer =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let model = engine.load(file, ModelOptions::new("trained")).await.unwrap();
            let answer = model.infer(InferRequest::new(vec![input])).await.unwrap();
            model.unload().await;
            answer
        });
    let values = answer[0].tensor.to_f32().unwrap().into_owned();
    Array2::from_shape_vec((images.shape()[0], description.classes as usize), values).unwrap()
}
