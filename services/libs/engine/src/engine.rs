//! The engine: the ONNX Runtime environment of the process, from which models are loaded.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;

use crate::error::EngineError;
use crate::library;
use crate::model::Model;
use crate::opening::Opening;
use crate::options::ModelOptions;
use crate::session;

/// How the engine of a process is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineOptions {
    /// The ONNX Runtime library; none means `ORT_DYLIB_PATH`, else the one the system's loader knows.
    pub library: Option<PathBuf>,
    /// Threads of the pool all models share; none means as many as the process may use processors.
    pub threads: Option<NonZeroUsize>,
}

/// The ONNX Runtime environment of the process. Clones are handles to the same one.
#[derive(Clone)]
pub struct Engine {
    environment: Environment,
    library: PathBuf,
    threads: NonZeroUsize,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("library", &self.library)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// ONNX Runtime allows one environment a process and cannot make another after its end, so it never ends.
static STARTED: Mutex<Option<Engine>> = Mutex::new(None);

impl Engine {
    /// Loads the ONNX Runtime library and opens the shared thread pool, whose threads sleep when idle: pools
    /// that spin take the processor from each other.
    ///
    /// The first call in a process decides; later ones give the same engine. Fails with `LibraryMissing` or
    /// `LibraryUnusable`, after which another library may be tried, and with `StartedOtherwise` when the
    /// running engine has another library or count of threads than this call explicitly asks for.
    pub fn start(options: &EngineOptions) -> Result<Self, EngineError> {
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*started {
            engine.check_asked(options)?;
            return Ok(engine.clone());
        }
        let library = library::locate(options.library.as_deref(), std::env::var_os(library::VARIABLE))?;
        let unusable = |reason| EngineError::LibraryUnusable { path: library.clone(), reason };
        let builder = ort::init_from(&library).map_err(|error| unusable(error.to_string()))?;
        let threads = options.threads.unwrap_or_else(processors);
        let environment = thread_pool(threads)
            .and_then(|pool| {
                builder
                    .with_name("gifthorse")
                    .with_logger(Arc::new(log))
                    .with_global_thread_pool(pool)
                    .build()
            })
            .map_err(|error| unusable(error.to_string()))?;
        environment.set_log_level(LogLevel::Warning);
        tracing::info!(library = %library.display(), threads, build = ort::info(), "engine started");
        let engine = Self { environment, library, threads };
        *started = Some(engine.clone());
        Ok(engine)
    }

    /// Loads a model from the bytes of an ONNX file and warms it up.
    ///
    /// The work is done on the model's owner threads. Fails with `ModelInvalid`, `ModelUnsupported`,
    /// `WarmUp`, `ExecutionProviderMissing` or `Thread`.
    pub async fn load(&self, onnx: Bytes, options: ModelOptions) -> Result<Model, EngineError> {
        self.open(onnx, options)?.finish().await
    }

    /// As [`Engine::load`], for threads outside an async runtime; panics inside one.
    pub fn load_blocking(&self, onnx: Bytes, options: ModelOptions) -> Result<Model, EngineError> {
        self.open(onnx, options)?.finish_blocking()
    }

    /// The library in use.
    pub fn library(&self) -> &std::path::Path {
        &self.library
    }

    /// Threads of the shared pool.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// The environment, for code that runs sessions of its own on the shared pool beside the engine's.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    fn open(&self, onnx: Bytes, options: ModelOptions) -> Result<Opening, EngineError> {
        let environment = self.environment.clone();
        let of_session = options.clone();
        Opening::start(options, move || session::open(&environment, &onnx, &of_session))
    }

    fn check_asked(&self, options: &EngineOptions) -> Result<(), EngineError> {
        if let Some(asked) = &options.library {
            let asked = library::locate(Some(asked), None)?;
            if asked != self.library {
                return Err(EngineError::StartedOtherwise {
                    what: "library",
                    running: self.library.display().to_string(),
                    asked: asked.display().to_string(),
                });
            }
        }
        match options.threads {
            Some(asked) if asked != self.threads => Err(EngineError::StartedOtherwise {
                what: "threads",
                running: self.threads.to_string(),
                asked: asked.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

/// Processors the process may use, by its affinity and control group.
fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn thread_pool(threads: NonZeroUsize) -> ort::Result<GlobalThreadPoolOptions> {
    GlobalThreadPoolOptions::default()
        .with_intra_threads(threads.get())?
        .with_inter_threads(1)?
        .with_spin_control(false)
}

/// Passes ONNX Runtime's log on. Its errors come back as results too, so none is an error of the process.
fn log(level: LogLevel, category: &str, _session: &str, place: &str, message: &str) {
    match level {
        LogLevel::Verbose => tracing::trace!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Info => tracing::debug!(target: "onnxruntime", category, place, "{message}"),
        LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => {
            tracing::warn!(target: "onnxruntime", category, place, "{message}");
        }
    }
}
