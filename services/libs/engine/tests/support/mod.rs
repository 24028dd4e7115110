//! What the tests with the real ONNX Runtime share.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, clippy::print_stderr, reason = "for tests only")]

pub(crate) mod onnx;

use std::path::PathBuf;

use gifthorse_engine::{
    Datatype, Engine, EngineError, EngineOptions, InferRequest, Model, NamedTensor, Tensor,
};

/// The library for tests: `ORT_DYLIB_PATH`, else what `make runtime` left in the workspace.
pub(crate) fn library() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let mut folders = vec![workspace.join(".runtime")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                folders.push(path);
            } else if name.to_string_lossy().starts_with("libonnxruntime.so") {
                return Some(path);
            }
        }
    }
    None
}

/// The engine, or none after saying loudly that the test is skipped.
pub(crate) fn engine() -> Option<Engine> {
    let Some(library) = library() else {
        eprintln!("SKIPPED: needs ONNX Runtime: run `make runtime` or set ORT_DYLIB_PATH");
        return None;
    };
    let options = EngineOptions { library: Some(library), threads: None };
    Some(Engine::start(&options).expect("the library that is there must start"))
}

/// One FP32 tensor by name.
pub(crate) fn input(name: &str, shape: &[u64], values: Vec<f32>) -> NamedTensor {
    NamedTensor { name: name.to_owned(), tensor: Tensor::from_f32(shape.to_vec(), values) }
}

/// Sends FP32 values to the input `x` and gives the numbers of the output `y`.
pub(crate) async fn infer<const AXES: usize>(
    model: &Model,
    shape: [u64; AXES],
    values: Vec<f32>,
) -> Result<Vec<f32>, EngineError> {
    let answer = model.infer(InferRequest::new(vec![input("x", &shape, values)])).await?;
    assert_eq!(answer[0].name, "y");
    assert_eq!(answer[0].tensor.datatype, Datatype::Fp32);
    answer[0].tensor.to_f32().map(std::borrow::Cow::into_owned)
}
