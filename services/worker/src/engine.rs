//! What the mathematics of a job looks like from here.
//!
//! An engine is driven in small steps, by one thread that lives as long as the job: between two steps the
//! driver tells how far the job is, stores checkpoints and looks whether the job is cancelled. An engine knows
//! nothing of leases, stores and networks of machines; everything it needs lies in files.
//!
//! What a checkpoint holds must decide what follows: an attempt that goes on from one ends with the same
//! weights, bit for bit, as one that was never disturbed. So it carries the state of every generator and
//! optimiser, and everything that earlier stages found and later ones need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use gifthorse_store::{DatasetRecord, FileName, ModelRecord, ModelSpecification};
use tokio_util::sync::CancellationToken;

pub use gifthorse_api::v1::job_fault::Kind as FaultKind;

/// The stages of a job, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Opens the network and the images. Every attempt does this, also one that goes on from a checkpoint.
    Load,
    /// Measures the network as it is.
    Baseline,
    /// Ranks the channels of the layer.
    Rank,
    /// Sweeps over the pruned sets.
    Prune,
    /// Chooses one of them.
    Choose,
    /// Tunes the pruned network.
    FineTune,
    /// Decides whether the result may vote.
    Gate,
    /// Writes the network and the report.
    Export,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Load,
        Self::Baseline,
        Self::Rank,
        Self::Prune,
        Self::Choose,
        Self::FineTune,
        Self::Gate,
        Self::Export,
    ];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Baseline => "baseline",
            Self::Rank => "rank",
            Self::Prune => "prune",
            Self::Choose => "choose",
            Self::FineTune => "fine_tune",
            Self::Gate => "gate",
            Self::Export => "export",
        }
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// Makes the engine of a job.
pub trait Engines: Send + 'static {
    /// The engine for this assignment. Opens nothing large yet: that is [`Stage::Load`].
    fn open(&self, assignment: &Assignment) -> Result<Box<dyn Engine>, EngineFault>;
}

/// The mathematics of one job.
///
/// The driver calls, from one thread: [`enter`](Self::enter)([`Stage::Load`]) and [`advance`](Self::advance)
/// until that stage is done; where there is a checkpoint, [`restore`](Self::restore); then the same for every
/// later stage in order, beginning with the checkpoint's; at last [`finish`](Self::finish). After every advance
/// that asks for it, and after every stage but the first, it calls [`save`](Self::save).
pub trait Engine {
    /// Takes over what [`save`](Self::save) wrote into this folder, in this or an earlier process.
    fn restore(&mut self, saved: &Saved) -> Result<(), EngineFault>;

    /// Begins a stage, or goes on with it after `restore`; says how long it is. A stage without units is
    /// skipped.
    fn enter(&mut self, stage: Stage) -> Result<Extent, EngineFault>;

    /// Does some units of the stage: as many as take a second or so. Where one unit takes longer, looks at
    /// `cancelled` now and then and returns [`EngineFault::Cancelled`].
    fn advance(&mut self, cancelled: &Cancelled) -> Result<Advance, EngineFault>;

    /// Writes everything that [`restore`](Self::restore) needs into an empty folder. Names of files are those
    /// of [`FileName`]; no folders within.
    fn save(&mut self, folder: &Path) -> Result<(), EngineFault>;

    /// After the last stage: writes what comes out into an empty folder, and says what it is.
    fn finish(&mut self, folder: &Path) -> Result<Outcome, EngineFault>;
}

/// What a job works on. The files are private copies, verified as they were fetched.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The job.
    pub job: Identifier,
    /// What was asked for; model version and layer are resolved.
    pub specification: v1::PruningSpecification,
    /// The network.
    pub model: ModelInput,
    /// The clean images.
    pub clean: DatasetInput,
    /// The triggered images, in the order of the specification.
    pub triggered: Vec<TriggeredInput>,
    /// The images to unlearn.
    pub unlearn: Option<DatasetInput>,
    /// A folder for whatever does not fit into memory; it goes with the attempt.
    pub scratch: PathBuf,
}

/// A network.
#[derive(Debug, Clone)]
pub struct ModelInput {
    /// What the store says of the version.
    pub record: ModelRecord,
    /// Its ONNX file.
    pub onnx: PathBuf,
}

/// A data set in its canonical form.
#[derive(Debug, Clone)]
pub struct DatasetInput {
    /// What the store says of it.
    pub record: DatasetRecord,
    /// The folder with its files.
    pub folder: PathBuf,
}

/// A data set of triggered images.
#[derive(Debug, Clone)]
pub struct TriggeredInput {
    /// The images.
    pub images: DatasetInput,
    /// The attacker's class, where it is known.
    pub target: Option<i32>,
}

/// Where an attempt goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The stage that is entered next.
    pub stage: Stage,
    /// Units of it that are done.
    pub done: u64,
    /// The folder with what was saved.
    pub folder: PathBuf,
}

/// How long a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Units that are done already, after `restore`.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What a unit is: images, channels, steps.
    pub unit: &'static str,
}

/// What an advance came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advance {
    /// Units of the stage that are done now; the stage ends when all are.
    pub done: u64,
    /// Measured values, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Something worth telling whoever watches.
    pub message: Option<String>,
    /// Lines for the log.
    pub log: Vec<String>,
    /// Whether so much was done that it should be saved: a chunk of the sweep, an epoch.
    pub save: bool,
}

/// Whether the job is to be stopped.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(CancellationToken);

impl Cancelled {
    pub(crate) fn new(token: CancellationToken) -> Self {
        Self(token)
    }

    /// Whether it is.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// [`EngineFault::Cancelled`], if it is.
    pub fn check(&self) -> Result<(), EngineFault> {
        if self.is_cancelled() { Err(EngineFault::Cancelled) } else { Ok(()) }
    }
}

/// What came out of a job. Values that were not measured are NaN or absent.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the gate said.
    pub gate: v1::RepairGate,
    /// The layer that was pruned.
    pub layer: String,
    /// Channels that were pruned.
    pub pruned_channels: u32,
    /// Held-out clean accuracy before.
    pub clean_accuracy_before: f64,
    /// Held-out clean accuracy after.
    pub clean_accuracy_after: f64,
    /// Attack success rate before, by the name of the triggered set (`datasets/NAME`).
    pub attack_success_rate_before: BTreeMap<String, f64>,
    /// Attack success rate after.
    pub attack_success_rate_after: BTreeMap<String, f64>,
    /// The repaired network; none where nothing is worth keeping.
    pub version: Option<NewVersion>,
    /// Files of the report.
    pub report: Vec<(FileName, PathBuf)>,
}

/// A network that becomes a version of the model.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Its files, `model.onnx` among them.
    pub files: Vec<(FileName, PathBuf)>,
    /// What the store shall say of it.
    pub specification: Box<ModelSpecification>,
}

/// Why an engine stops before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineFault {
    /// It was told to.
    #[error("the job is cancelled")]
    Cancelled,
    /// It cannot go on.
    #[error("{message}")]
    Failed {
        /// The class, which decides whether another attempt is made.
        kind: FaultKind,
        /// The code of the catalogue.
        code: ErrorCode,
        /// What happened, at which step, and what would help.
        message: String,
    },
}

impl EngineFault {
    /// The specification or its data are wrong; another attempt would end the same way.
    pub fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Failed { kind: FaultKind::Invalid, code, message: message.into() }
    }

    /// The mathematics failed; another attempt would end the same way.
    pub fn numerical(message: impl Into<String>) -> Self {
        Self::Failed { kind: FaultKind::Numerical, code: ErrorCode::NumericalFault, message: message.into() }
    }

    /// Anything else. Whether another attempt is made depends on the code: what is not built, not valid or not
    /// there stays so.
    pub fn internal(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Failed { kind: FaultKind::Internal, code, message: message.into() }
    }

    /// The same, from an error that knows its code.
    pub fn of<E: gifthorse_api::catalogue::Coded>(error: &E) -> Self {
        Self::internal(error.code(), error.to_string())
    }

    /// A file of the attempt's own folders that cannot be read or written.
    pub fn file(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::internal(ErrorCode::Internal, format!("cannot {action} {}: {error}", path.display()))
    }

    /// The message of the API.
    pub(crate) fn message(&self) -> v1::JobFault {
        match self {
            Self::Cancelled => v1::JobFault {
                kind: FaultKind::Internal.into(),
                reason: ErrorCode::Cancelled.to_string(),
                message: self.to_string(),
            },
            Self::Failed { kind, code, message } => {
                v1::JobFault { kind: (*kind).into(), reason: code.to_string(), message: message.clone() }
            }
        }
    }
}
