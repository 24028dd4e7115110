//! Why a request of `Detection` or `Policies` is refused.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::NameError;
use gifthorse_dataset::DatasetError;
use gifthorse_dataset::prepare::PrepareError;
use gifthorse_dataset::wire::WireError;
use gifthorse_dataset::wire_tensor::TensorError;
use gifthorse_defence::bank::BankError;
use gifthorse_defence::blend::ConvexWeightError;
use gifthorse_defence::budget::BudgetError;
use gifthorse_defence::conformal::CalibrationError;
use gifthorse_defence::fusion::ScaleError;
use gifthorse_defence::input::InputSpaceError;
use gifthorse_defence::level::LevelError;
use gifthorse_defence::paste::{HostError, WhiteBoxError};
use gifthorse_defence::region::RegionError;
use gifthorse_defence::sequential::LooksError;
use gifthorse_defence::strip::StripError;
use gifthorse_defence::{DetectionError, evaluation};
use gifthorse_engine::EngineError;
use gifthorse_network::surgery::SurgeryError;
use gifthorse_service::client::ClientError;
use gifthorse_store::StoreError;

use crate::network::RunError;

/// Everything that can go wrong between a request and its answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DetectorError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Tensor(#[from] TensorError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Surgery(#[from] SurgeryError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Detection(#[from] DetectionError<RunError>),
    #[error(transparent)]
    Host(#[from] HostError<RunError>),
    #[error(transparent)]
    WhiteBox(#[from] WhiteBoxError<RunError>),
    #[error(transparent)]
    Bank(#[from] BankError),
    #[error(transparent)]
    InputSpace(#[from] InputSpaceError),
    #[error(transparent)]
    Region(#[from] RegionError),
    #[error(transparent)]
    Looks(#[from] LooksError),
    #[error(transparent)]
    Strip(#[from] StripError),
    #[error(transparent)]
    Weight(#[from] ConvexWeightError),
    #[error(transparent)]
    Level(#[from] LevelError),
    #[error(transparent)]
    Budget(#[from] BudgetError),
    #[error(transparent)]
    Proportion(#[from] evaluation::ProportionError),
    #[error(transparent)]
    Curve(#[from] evaluation::CurveError),
    /// A threshold is refused.
    #[error("{detector} of calibrations/{calibration}: {source}")]
    Threshold { detector: String, calibration: String, source: CalibrationError },
    /// Scores cannot be scaled for a fusion.
    #[error("{detector} cannot be fused: {source}")]
    Scale { detector: String, source: ScaleError },
    /// A field has a value outside its contract.
    #[error("{field} {message}")]
    Field { field: &'static str, message: String },
    /// A calibration does not belong to what is to be scanned.
    #[error("calibrations/{calibration} {fault}: calibrate {model} and set a policy with that calibration")]
    Mismatch { calibration: String, fault: String, model: String },
    /// The clean data do not make a calibration.
    #[error("datasets/{dataset} {fault}")]
    CleanData { dataset: String, fault: String },
    /// Something that does not exist.
    #[error("there is no {what}: {hint}")]
    Missing { what: String, hint: &'static str },
    /// A calibration that a policy uses would go.
    #[error("calibrations/{calibration} is used by {policy}: set another policy first, or clear it")]
    InUse { calibration: String, policy: String },
    /// A repaired network that the gate has not let through would vote.
    #[error("{version} may not vote: the gate said NOT_REPAIRED ({reason}); repair the model again")]
    NotRepaired { version: String, reason: String },
    /// A part of the contract that this release has not.
    #[error("{0}")]
    NotBuilt(String),
    /// An export that cannot be made.
    #[error("{0}")]
    Export(String),
    /// No place is left in the queue.
    #[error("{waiting} inputs wait for their turn already: try again in a moment, or start more replicas")]
    QueueFull { waiting: usize },
    /// A file of a calibration does not say what it should.
    #[error("calibrations/{calibration} cannot be read: {fault}")]
    Damaged { calibration: String, fault: String },
    /// A fault of ours.
    #[error("{0} failed unexpectedly")]
    Internal(&'static str),
}

impl DetectorError {
    /// A field with a value outside its contract.
    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field { field, message: message.into() }
    }

    fn inner(&self) -> Option<&dyn Coded> {
        Some(match self {
            Self::Name(error) => error,
            Self::Store(error) => error,
            Self::Dataset(error) => error,
            Self::Prepare(error) => error,
            Self::Wire(error) => error,
            Self::Tensor(error) => error,
            Self::Engine(error) => error,
            Self::Surgery(error) => error,
            Self::Run(error) => error,
            Self::Client(error) => error,
            Self::Detection(error) => error,
            Self::Host(error) => error,
            Self::WhiteBox(error) => error,
            Self::Bank(error) => error,
            Self::InputSpace(error) => error,
            Self::Region(error) => error,
            Self::Looks(error) => error,
            Self::Strip(error) => error,
            Self::Weight(error) => error,
            Self::Level(error) => error,
            Self::Budget(error) => error,
            Self::Proportion(error) => error,
            Self::Curve(error) => error,
            Self::Threshold { source, .. } => source,
            Self::Scale { source, .. } => source,
            Self::Field { .. }
            | Self::Mismatch { .. }
            | Self::CleanData { .. }
            | Self::Missing { .. }
            | Self::InUse { .. }
            | Self::NotRepaired { .. }
            | Self::NotBuilt(_)
            | Self::Export(_)
            | Self::QueueFull { .. }
            | Self::Damaged { .. }
            | Self::Internal(_) => return None,
        })
    }
}

impl Coded for DetectorError {
    fn code(&self) -> ErrorCode {
        if let Some(inner) = self.inner() {
            return inner.code();
        }
        match self {
            Self::Mismatch { .. } => ErrorCode::CalibrationMismatch,
            Self::CleanData { .. } => ErrorCode::DatasetInvalid,
            Self::Missing { .. } => ErrorCode::ResourceNotFound,
            Self::InUse { .. } => ErrorCode::InUse,
            Self::NotBuilt(_) => ErrorCode::NotBuilt,
            Self::NotRepaired { .. } => ErrorCode::NotRepaired,
            Self::Export(_) => ErrorCode::ExportImpossible,
            Self::QueueFull { .. } => ErrorCode::QueueFull,
            Self::Damaged { .. } => ErrorCode::RecordInvalid,
            Self::Internal(_) => ErrorCode::Internal,
            // All others have an inner error, which has answered above.
            _ => ErrorCode::InvalidField,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Field { field, .. } => Some((*field).to_owned()),
            other => other.inner().and_then(Coded::field),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        self.inner().map(Coded::facts).unwrap_or_default()
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        self.inner().and_then(Coded::retry_after)
    }
}
