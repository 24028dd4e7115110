//! ONNX Runtime for the services: sessions owned by threads, fed through a bounded queue that batches.
//!
//! [`Engine::start`] loads the ONNX Runtime library once a process and opens one thread pool that all models
//! share. [`Engine::load`] turns the bytes of an ONNX file into a [`Model`]; its `infer` checks a request,
//! queues it and answers when an owner thread has run it, together with whatever else was waiting.
//!
//! A request is rows: tensors whose first axis counts them. Rows of several requests share one run of the
//! network and never meet in an answer; a row that comes out NaN or infinite fails its own request only.

#[cfg(target_endian = "big")]
compile_error!("tensors are little-endian on the wire and are handed to ONNX Runtime as they come");

mod answer;
mod datatype;
mod engine;
mod error;
mod executor;
mod finite;
mod library;
mod model;
mod network;
mod opening;
mod options;
mod owner;
mod queue;
mod request;
mod session;
mod signature;
mod statistics;
mod tensor;
mod values;

pub use datatype::Datatype;
pub use engine::{Engine, EngineOptions};
pub use error::EngineError;
pub use model::{Model, Pending};
pub use options::{EngineConfiguration, Execution, ModelOptions, Provider};
pub use request::InferRequest;
pub use statistics::{BatchStatistics, ModelStatistics, Timing};
pub use tensor::{NamedTensor, Shape, Tensor, TensorSpec};
