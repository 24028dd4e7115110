//! What can go wrong between a request and its answer.

use std::path::PathBuf;
use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::datatype::Datatype;
use crate::tensor::Shape;

/// Why the engine, a model or a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The configured ONNX Runtime library is not there.
    #[error(
        "there is no ONNX Runtime library at {}: run `make runtime`, or set ORT_DYLIB_PATH to a libonnxruntime",
        path.display()
    )]
    LibraryMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The ONNX Runtime library is there but cannot be used.
    #[error(
        "the ONNX Runtime library {} cannot be used ({reason}): run `make runtime`, or set ORT_DYLIB_PATH to \
         another libonnxruntime",
        path.display()
    )]
    LibraryUnusable {
        /// Which file, or which name the system's loader was asked for.
        path: PathBuf,
        /// What the loader or the library said.
        reason: String,
    },
    /// The process runs an engine with other options already; there is one a process.
    #[error("the engine of this process runs with {what} {running}, it cannot be started again with {asked}")]
    StartedOtherwise {
        /// `library` or `threads`.
        what: &'static str,
        /// What it runs with.
        running: String,
        /// What was asked for.
        asked: String,
    },
    /// An owner thread could not be started.
    #[error("cannot start an owner thread for model {model:?}: {reason}")]
    Thread {
        /// The model.
        model: String,
        /// What the system said.
        reason: String,
    },
    /// ONNX Runtime does not take the file.
    #[error("ONNX Runtime does not load model {model:?}: {reason}")]
    ModelInvalid {
        /// The model.
        model: String,
        /// What it said.
        reason: String,
    },
    /// An input or output is of a type that cannot be served.
    #[error("{side} {name:?} of model {model:?} is {found}: only tensors of numbers and booleans are served")]
    ModelUnsupported {
        /// The model.
        model: String,
        /// `input` or `output`.
        side: &'static str,
        /// Its name.
        name: String,
        /// What it is.
        found: String,
    },
    /// The model loads but does not run.
    #[error(
        "model {model:?} fails on {rows} rows of zeros: {reason}; if it takes fewer rows at once, lower its \
         max_batch_rows"
    )]
    WarmUp {
        /// The model.
        model: String,
        /// Rows in the run that failed.
        rows: usize,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The execution provider asked for cannot be had and falling back is switched off.
    #[error("{provider} cannot be had: {reason}; allow the CPU by not requiring it")]
    ExecutionProviderMissing {
        /// Which, with its device.
        provider: String,
        /// Why.
        reason: String,
    },
    /// A text names no element type that is served.
    #[error(
        "{found:?} is not a supported datatype: use BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 or \
         BF16"
    )]
    UnsupportedDatatype {
        /// The text, shortened.
        found: String,
    },
    /// The model has no such input or output.
    #[error("the model has no {side} {found:?}, it has {expected}")]
    UnknownTensor {
        /// `input` or `output`.
        side: &'static str,
        /// Its place in the request.
        index: usize,
        /// The name given, shortened.
        found: String,
        /// The names there are, separated by commas.
        expected: String,
    },
    /// An input of the model is not in the request.
    #[error("input {expected:?} is missing")]
    MissingTensor {
        /// Its name.
        expected: String,
    },
    /// A name is in the request twice.
    #[error("{side} {found:?} is given twice")]
    RepeatedTensor {
        /// `input` or `output`.
        side: &'static str,
        /// Place of the second one in the request.
        index: usize,
        /// Its name.
        found: String,
    },
    /// A tensor has another shape than the model takes.
    #[error("input {name:?} has shape {found}, the model takes {expected}")]
    Shape {
        /// Place in the request.
        index: usize,
        /// Its name.
        name: String,
        /// What the model takes.
        expected: Shape,
        /// What was given.
        found: Shape,
    },
    /// The inputs of one request have different counts of rows.
    #[error("input {name:?} has {found} rows, the input before it {expected}: all must have as many")]
    Rows {
        /// Place in the request.
        index: usize,
        /// Its name.
        name: String,
        /// Rows of the other inputs.
        expected: u64,
        /// Rows of this one.
        found: u64,
    },
    /// A tensor has another element type than the model takes.
    #[error("input {name:?} is {found}, the model takes {expected}")]
    Datatype {
        /// Place in the request.
        index: usize,
        /// Its name.
        name: String,
        /// What the model takes.
        expected: Datatype,
        /// What was given.
        found: Datatype,
    },
    /// A tensor's content is longer or shorter than its shape and type say.
    #[error("input {name:?} holds {found} bytes, its shape and type make {expected}")]
    Length {
        /// Place in the request.
        index: usize,
        /// Its name.
        name: String,
        /// Bytes by shape and type.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A boolean is neither 0 nor 1.
    #[error("input {name:?} is BOOL but byte {position} is {found}: only 0 and 1 are booleans")]
    Boolean {
        /// Place in the request.
        index: usize,
        /// Its name.
        name: String,
        /// Which element.
        position: usize,
        /// Its value.
        found: u8,
    },
    /// One request has more rows than the queue can ever hold.
    #[error("the request has {rows} rows, model {model:?} takes at most {limit} at a time: send fewer")]
    TooManyRows {
        /// The model.
        model: String,
        /// Rows asked for.
        rows: usize,
        /// Rows the queue holds.
        limit: usize,
    },
    /// The queue is full.
    #[error(
        "the queue of model {model:?} holds {queued} of {limit} rows, {rows} more do not fit: retry in {} ms",
        retry_after.as_millis()
    )]
    QueueFull {
        /// The model.
        model: String,
        /// Rows asked for.
        rows: usize,
        /// Rows waiting.
        queued: usize,
        /// Rows the queue holds.
        limit: usize,
        /// About when there will be room.
        retry_after: Duration,
    },
    /// The model is being unloaded, or is.
    #[error("model {model:?} is unloaded and takes no more requests: load it again")]
    Unloaded {
        /// The model.
        model: String,
    },
    /// The deadline passed before the request was run.
    #[error("the deadline passed {} ms ago, before the request was run", late.as_millis())]
    DeadlineExceeded {
        /// How long ago.
        late: Duration,
    },
    /// The caller went away before the request was run.
    #[error("the caller went away before the request was run")]
    Cancelled,
    /// The answer has NaN or an infinity in it.
    #[error(
        "output {output:?} holds NaN or an infinity in row {row}: the input or the model's weights are bad"
    )]
    NotFinite {
        /// The output.
        output: String,
        /// Row of the request, from 0.
        row: usize,
    },
    /// ONNX Runtime failed while running the network.
    #[error("running model {model:?} failed: {reason}")]
    Run {
        /// The model.
        model: String,
        /// What it said.
        reason: String,
    },
    /// The owner thread died while it had the request.
    #[error("the owner thread of model {model:?} ended unexpectedly: load the model again")]
    OwnerDied {
        /// The model.
        model: String,
    },
}

impl Coded for EngineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::LibraryMissing { .. }
            | Self::LibraryUnusable { .. }
            | Self::StartedOtherwise { .. }
            | Self::Thread { .. }
            | Self::Run { .. }
            | Self::OwnerDied { .. } => ErrorCode::EngineFailed,
            Self::ModelInvalid { .. } | Self::WarmUp { .. } => ErrorCode::ModelFileInvalid,
            Self::ModelUnsupported { .. } => ErrorCode::ModelFileUnsupported,
            Self::ExecutionProviderMissing { .. } => ErrorCode::ExecutionProviderMissing,
            Self::UnknownTensor { .. } | Self::MissingTensor { .. } | Self::RepeatedTensor { .. } => {
                ErrorCode::UnknownTensor
            }
            Self::Shape { .. } | Self::Rows { .. } => ErrorCode::TensorShape,
            Self::UnsupportedDatatype { .. } | Self::Datatype { .. } => ErrorCode::TensorType,
            Self::Length { .. } => ErrorCode::TensorLength,
            Self::Boolean { .. } => ErrorCode::InvalidField,
            Self::TooManyRows { .. } => ErrorCode::TooLarge,
            Self::QueueFull { .. } => ErrorCode::QueueFull,
            Self::Unloaded { .. } => ErrorCode::ModelNotReady,
            Self::DeadlineExceeded { .. } => ErrorCode::DeadlineExceeded,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::UnknownTensor { side, index, .. } | Self::RepeatedTensor { side, index, .. } => {
                Some(format!("{side}s[{index}].name"))
            }
            Self::MissingTensor { .. } => Some("inputs".to_owned()),
            Self::Shape { index, .. } | Self::Rows { index, .. } => Some(format!("inputs[{index}].shape")),
            Self::Datatype { index, .. } => Some(format!("inputs[{index}].datatype")),
            Self::Length { index, .. } | Self::Boolean { index, .. } => Some(format!("inputs[{index}]")),
            _ => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let pair = |expected: String, found: String| vec![("expected", expected), ("found", found)];
        match self {
            Self::StartedOtherwise { running, asked, .. } => pair(running.clone(), asked.clone()),
            Self::UnknownTensor { expected, found, .. } => pair(expected.clone(), found.clone()),
            Self::MissingTensor { expected } => vec![("expected", expected.clone())],
            Self::RepeatedTensor { found, .. } | Self::UnsupportedDatatype { found } => {
                vec![("found", found.clone())]
            }
            Self::Shape { expected, found, .. } => pair(expected.to_string(), found.to_string()),
            Self::Rows { expected, found, .. } | Self::Length { expected, found, .. } => {
                pair(expected.to_string(), found.to_string())
            }
            Self::Datatype { expected, found, .. } => pair(expected.to_string(), found.to_string()),
            Self::Boolean { found, .. } => pair("0 or 1".to_owned(), found.to_string()),
            Self::TooManyRows { rows, limit, .. } => {
                vec![("rows", rows.to_string()), ("limit", limit.to_string())]
            }
            Self::QueueFull { rows, queued, limit, retry_after, .. } => vec![
                ("rows", rows.to_string()),
                ("queued", queued.to_string()),
                ("limit", limit.to_string()),
                ("retryAfterMs", retry_after.as_millis().to_string()),
            ],
            Self::NotFinite { output, row } => {
                vec![("output", output.clone()), ("row", row.to_string())]
            }
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}
