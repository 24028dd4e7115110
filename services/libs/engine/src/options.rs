//! How a model is run.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::EngineOptions;

/// On what a model is meant to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Execution {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU. Needs the crate feature `cuda` and the GPU build of the ONNX Runtime library.
    Cuda {
        /// Number of the device, from 0.
        device: u32,
        /// Refuse to load the model when the GPU cannot be had; otherwise the processor takes over.
        required: bool,
    },
}

/// The section `[engine]` of every service that runs networks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfiguration {
    /// The ONNX Runtime library; unset: the environment's `ORT_DYLIB_PATH`, then the system's loader.
    pub library: Option<PathBuf>,
    /// Threads of the pool that all models share; unset: one a processor.
    pub threads: Option<NonZeroUsize>,
    /// `"cpu"`, or `{ cuda = { device = 0, required = true } }`.
    pub execution: Execution,
}

impl EngineConfiguration {
    /// How the engine is started.
    pub fn options(&self) -> EngineOptions {
        EngineOptions { library: self.library.clone(), threads: self.threads }
    }
}

/// On what a model does run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    Cpu {
        /// Why it is not the GPU that was asked for; none when the processor was asked for.
        instead_of_cuda: Option<String>,
    },
    /// An NVIDIA GPU.
    Cuda {
        /// Number of the device, from 0.
        device: u32,
    },
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { .. } => formatter.write_str("CPU"),
            Self::Cuda { device } => write!(formatter, "CUDA device {device}"),
        }
    }
}

/// How one model is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOptions {
    /// Name in messages, logs and thread names; need not be unique.
    pub name: String,
    /// Sessions with an owner thread each. More than one pays on a GPU or with `threads`: sessions on the
    /// shared pool take turns.
    pub instances: NonZeroUsize,
    /// Threads of a pool of its own for each instance; none means the pool all models share.
    pub threads: Option<NonZeroUsize>,
    /// Rows that go into one run at most. A request with more is run in parts.
    pub max_batch_rows: NonZeroUsize,
    /// How long a request may wait for others to fill its batch. Zero takes what waits when the session gets
    /// free, which batches under load and costs a lone request nothing.
    pub max_delay: Duration,
    /// Rows that may wait. A request beyond is refused with `QueueFull`.
    pub queue_rows: NonZeroUsize,
    /// What to run on.
    pub execution: Execution,
    /// Whether to run one row and a full batch of zeros before the model counts as loaded. Without it the
    /// first requests are slow, and batching relies on the shapes the file declares.
    pub warm_up: bool,
}

impl ModelOptions {
    /// The defaults: one instance on the shared pool, 64 rows a batch, no delay, 1024 rows waiting, the
    /// processor, warmed up.
    pub fn new(name: impl Into<String>) -> Self {
        const ROWS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
        const QUEUE: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
        Self {
            name: name.into(),
            instances: NonZeroUsize::MIN,
            threads: None,
            max_batch_rows: ROWS,
            max_delay: Duration::ZERO,
            queue_rows: QUEUE,
            execution: Execution::Cpu,
            warm_up: true,
        }
    }
}
