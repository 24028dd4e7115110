//! What the quarantined reader of this program does with a foreign network.
//!
//! Runs in the child process only: libhdf5 and ONNX Runtime may crash here, the service goes on.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_engine::{Engine, EngineError, EngineOptions, InferRequest, ModelOptions, NamedTensor, Tensor};
use gifthorse_network::architecture::UnknownArchitecture;
use gifthorse_network::keras::{self, Architecture, KerasOptions};
use gifthorse_network::onnx::{self, InputSize, OnnxOptions};
use gifthorse_network::{Imported, Layout, NetworkDescription, NetworkError};
use gifthorse_quarantine::{RemoteFault, child};
use gifthorse_store::SuspectClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit;

/// Task: read a network and write `model.onnx`.
pub(crate) const READ_NETWORK: &str = "read-network";
/// Task: write a network back as Keras `.h5`.
pub(crate) const WRITE_KERAS: &str = "write-keras";

/// The file as it came.
pub(crate) const SOURCE: &str = "source";
/// The checked network.
pub(crate) const CONVERTED: &str = "model.onnx";
/// The exported network.
pub(crate) const EXPORTED: &str = "export.h5";

/// First bytes of every HDF5 file (its format signature).
const HDF5_SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// First bytes of a ZIP file: `.keras` and the `.pt` of `PyTorch` are ones.
const ZIP_SIGNATURE: [u8; 4] = *b"PK\x03\x04";

/// What the parent knows of the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadNetwork {
    pub(crate) architecture: Option<ArchitectureChoice>,
    pub(crate) layout: Option<Layout>,
    /// Rows and columns, where the caller gave them.
    pub(crate) input_size: Option<(u64, u64)>,
    /// The ONNX Runtime library that the service uses.
    pub(crate) library: PathBuf,
}

/// What the reader found in the file; the network itself is in the folder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadAnswer {
    pub(crate) description: NetworkDescription,
    /// Classes whose output weights stand out; none where that cannot be told.
    pub(crate) suspects: Option<Vec<SuspectClass>>,
}

/// An architecture as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ArchitectureChoice {
    /// One that is built in.
    Named(String),
    /// Keras JSON.
    Json(String),
}

impl ArchitectureChoice {
    fn parse(self) -> Result<Architecture, UnknownArchitecture> {
        match self {
            Self::Named(name) => name.parse(),
            Self::Json(json) => Ok(Architecture::Json(json)),
        }
    }
}

/// What the parent wants to write.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WriteKeras {
    pub(crate) description: NetworkDescription,
    pub(crate) architecture: Option<ArchitectureChoice>,
}

#[derive(Debug, thiserror::Error)]
enum ReaderError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Architecture(#[from] UnknownArchitecture),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the network cannot be run on a trial image: {0}")]
    Trial(#[source] EngineError),
    #[error(
        "ONNX Runtime needs more memory for this network than a reader may use: \
         the file is damaged, or too large for this service (import.limits.memory_bytes)"
    )]
    Memory,
    #[error("the network answers {value} for class {class} of a trial image: its output is not a softmax")]
    NotProbabilities { class: usize, value: f32 },
    #[error("the network's probabilities for a trial image add up to {sum}: its output is not a softmax")]
    Sum { sum: f32 },
    #[error("{kind} is not read: {hint}")]
    Kind { kind: &'static str, hint: &'static str },
    #[error("cannot {action} {file}: {source}")]
    File { action: &'static str, file: &'static str, source: std::io::Error },
}

impl Coded for ReaderError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Network(error) => error.code(),
            Self::Architecture(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::Trial(error) => match error.code() {
                // The engine is sound, so what it cannot do is the network's fault.
                ErrorCode::EngineFailed => ErrorCode::ModelFileInvalid,
                code => code,
            },
            Self::Memory => ErrorCode::ForeignFileKilled,
            Self::NotProbabilities { .. } | Self::Sum { .. } => ErrorCode::NotAClassifier,
            Self::Kind { .. } => ErrorCode::ModelFileUnsupported,
            Self::File { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Architecture(error) => error.field(),
            _ => None,
        }
    }
}

/// The tasks of this program's reader.
pub fn reader(task: &str, request: Value) -> Result<Value, RemoteFault> {
    match task {
        READ_NETWORK => child::answer(request, read_network),
        WRITE_KERAS => child::answer(request, write_keras),
        unknown => Err(child::unknown_task(unknown)),
    }
}

fn read_network(request: ReadNetwork) -> Result<ReadAnswer, ReaderError> {
    let library = request.library.clone();
    let imported = import(request)?;
    try_out(&imported, library)?;
    let written = fs::write(CONVERTED, &imported.onnx);
    written.map_err(|source| ReaderError::File { action: "write", file: CONVERTED, source })?;
    let suspects = audit::suspects(&imported);
    Ok(ReadAnswer { description: imported.description, suspects })
}

/// The kind is read off the bytes, never off a name.
fn import(request: ReadNetwork) -> Result<Imported, ReaderError> {
    let unreadable = |source| ReaderError::File { action: "read", file: SOURCE, source };
    let mut first = Vec::new();
    fs::File::open(SOURCE).and_then(|file| file.take(8).read_to_end(&mut first)).map_err(unreadable)?;
    if first == HDF5_SIGNATURE {
        let architecture = request.architecture.map(ArchitectureChoice::parse).transpose()?;
        return Ok(keras::import(Path::new(SOURCE), &KerasOptions { architecture })?);
    }
    if first.starts_with(&ZIP_SIGNATURE) {
        return Err(ReaderError::Kind {
            kind: "a ZIP archive (.keras, .pt, .npz)",
            hint: "save a Keras model as .h5, or export a PyTorch model as ONNX",
        });
    }
    let bytes = fs::read(SOURCE).map_err(unreadable)?;
    let options = OnnxOptions {
        layout: request.layout,
        input_size: request.input_size.map(|(height, width)| InputSize { height, width }),
        ..OnnxOptions::default()
    };
    Ok(onnx::import(&bytes, &options)?)
}

/// Runs the network once, on an image of noise: what ONNX Runtime cannot load or run, and what does not
/// answer probabilities, is refused here and not at the first request.
fn try_out(imported: &Imported, library: PathBuf) -> Result<(), ReaderError> {
    // One thread: the process has little address space, and one image is little work.
    let engine =
        Engine::start(&EngineOptions { threads: Some(std::num::NonZeroUsize::MIN), library: Some(library) })?;
    let options = ModelOptions { warm_up: false, ..ModelOptions::new("trial") };
    let onnx = Bytes::copy_from_slice(&imported.onnx);
    let model = engine.load_blocking(onnx, options).map_err(|error| memory_or(error, ReaderError::Engine))?;
    let description = &imported.description;
    let shape = match description.layout {
        Layout::Nhwc => vec![1, description.height, description.width, description.channels],
        Layout::Nchw => vec![1, description.channels, description.height, description.width],
    };
    let count: u64 = shape.iter().product();
    let noise = (0..count).map(noise_level).collect();
    let mut request = InferRequest::new(vec![NamedTensor {
        name: description.input.clone(),
        tensor: Tensor::from_f32(shape, noise),
    }]);
    request.outputs = vec![description.output.clone()];
    let answers = model.infer_blocking(request).map_err(|error| memory_or(error, ReaderError::Trial))?;
    let probabilities = answers.first().map(|answer| answer.tensor.to_f32()).transpose()?.unwrap_or_default();
    let outside = |value: &f32| !(-1e-4..=1.0 + 1e-4).contains(value);
    if let Some(class) = probabilities.iter().position(outside) {
        return Err(ReaderError::NotProbabilities { class, value: probabilities[class] });
    }
    let sum: f32 = probabilities.iter().sum();
    if (sum - 1.0).abs() > 1e-2 {
        return Err(ReaderError::Sum { sum });
    }
    Ok(())
}

/// Tells a network that is too large for this process from one that is wrong: the engine reports both alike.
fn memory_or(error: EngineError, otherwise: impl Fn(EngineError) -> ReaderError) -> ReaderError {
    // What C++ throws when memory cannot be had.
    if error.to_string().contains("std::bad_alloc") { ReaderError::Memory } else { otherwise(error) }
}

/// The same noise for every import: a multiplicative hash of the index, scaled to 0..1.
fn noise_level(index: u64) -> f32 {
    let mixed = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as f32 / (1_u64 << 24) as f32
}

fn write_keras(request: WriteKeras) -> Result<(), ReaderError> {
    let onnx = fs::read(CONVERTED).map_err(|source| ReaderError::File {
        action: "read",
        file: CONVERTED,
        source,
    })?;
    let architecture = request.architecture.map(ArchitectureChoice::parse).transpose()?;
    let (source, destination) = (Path::new(SOURCE), Path::new(EXPORTED));
    keras::export_h5(&onnx, &request.description, source, architecture.as_ref(), destination)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trial_noise_is_spread_over_the_levels() {
        let levels: Vec<f32> = (0..1000).map(noise_level).collect();
        assert!(levels.iter().all(|level| (0.0..1.0).contains(level)));
        let mean = levels.iter().sum::<f32>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
