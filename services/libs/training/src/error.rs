//! What can go wrong between an imported network and a trained one.

use std::fmt;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_network::NetworkError;
use gifthorse_network::surgery::SurgeryError;

use crate::device::Device;

/// An operator of a network that cannot be run with gradients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedOperator {
    /// The operator's name in the ONNX standard.
    pub operator: String,
    /// The node that uses it, or the tensor it makes where the node has no name.
    pub node: String,
    /// What about it is not known.
    pub reason: String,
}

impl fmt::Display for UnsupportedOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (node {:?}): {}", self.operator, self.node, self.reason)
    }
}

/// A number that training watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The loss of a batch.
    Loss,
    /// The norm of all gradients together.
    GradientNorm,
}

impl fmt::Display for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Loss => "loss",
            Self::GradientNorm => "norm of the gradient",
        })
    }
}

/// Why a network cannot be trained, or training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The file is not the described network.
    #[error(transparent)]
    Surgery(#[from] SurgeryError),
    /// The file is damaged.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Operators that cannot be run with gradients; all of them.
    #[error("the network cannot be trained: {}", joined(operators))]
    UnsupportedOperators {
        /// Each node in question, in the order of the graph.
        operators: Vec<UnsupportedOperator>,
    },
    /// The network has nothing that could be trained, or all of it is frozen.
    #[error("no weight of the network can change: it has none, or all of them are frozen")]
    NothingToTrain,
    /// No weight or activation of this name.
    #[error("the network has no {what} {name:?}")]
    NoSuchTensor {
        /// Weight or activation.
        what: &'static str,
        /// The name asked for.
        name: String,
    },
    /// An array has another shape than the network takes.
    #[error("{what} has the shape {found:?}, the network takes {expected}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// What was given.
        found: Vec<usize>,
        /// What is taken, free axes by name.
        expected: String,
    },
    /// A label beyond the classes of the network.
    #[error("image {index} of the batch has the label {label}, the network has {classes} classes from 0")]
    Label {
        /// Row in the batch.
        index: usize,
        /// Its label.
        label: u32,
        /// Count of classes.
        classes: u64,
    },
    /// A setting outside its range.
    #[error("the setting {field} is {found}, it must be {needed}")]
    Setting {
        /// Its name.
        field: &'static str,
        /// What was given.
        found: String,
        /// What is taken.
        needed: &'static str,
    },
    /// Too few images.
    #[error("{found} images are too few: {reason}")]
    TooFewImages {
        /// How many there are.
        found: usize,
        /// Why that will not do.
        reason: &'static str,
    },
    /// A watched number became NaN or infinite; the weights are those before the step.
    #[error(
        "the {what} is {value} at step {step} (epoch {epoch}): training stopped; a smaller learning rate or \
         clipped gradients may help"
    )]
    NotFinite {
        /// Which number.
        what: Watched,
        /// NaN, inf or -inf.
        value: f64,
        /// Steps done before, over all epochs.
        step: u64,
        /// Epochs done before.
        epoch: u64,
    },
    /// The bytes are not a checkpoint, or a damaged one.
    #[error("the checkpoint cannot be read: {fault}")]
    Checkpoint {
        /// What is wrong with it.
        fault: String,
    },
    /// The checkpoint belongs to another network or to other settings.
    #[error("the checkpoint is of another training: {what} differs")]
    OtherTraining {
        /// What differs.
        what: String,
    },
    /// The device cannot be had.
    #[error("{device} cannot be had: libtorch sees {count} CUDA devices")]
    Device {
        /// The device asked for.
        device: Device,
        /// CUDA devices that are there.
        count: usize,
    },
    /// The examples could not be read.
    #[error("the training images cannot be read: {0}")]
    Examples(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// libtorch failed.
    #[error("libtorch failed at {place:?}: {source}")]
    Torch {
        /// The node, or what was being done.
        place: String,
        /// The cause.
        source: tch::TchError,
    },
}

impl Coded for TrainingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Surgery(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::UnsupportedOperators { .. } | Self::NothingToTrain => ErrorCode::ModelFileUnsupported,
            Self::NoSuchTensor { .. }
            | Self::Label { .. }
            | Self::Setting { .. }
            | Self::TooFewImages { .. } => ErrorCode::InvalidField,
            Self::Shape { .. } => ErrorCode::TensorShape,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::Checkpoint { .. } | Self::OtherTraining { .. } => ErrorCode::RecordInvalid,
            Self::Device { .. } => ErrorCode::ExecutionProviderMissing,
            Self::Examples(_) => ErrorCode::DatasetInvalid,
            Self::Torch { .. } => ErrorCode::EngineFailed,
        }
    }
}

/// Says where libtorch failed.
pub(crate) trait At<T> {
    fn at(self, place: &str) -> Result<T, TrainingError>;
}

impl<T> At<T> for Result<T, tch::TchError> {
    fn at(self, place: &str) -> Result<T, TrainingError> {
        self.map_err(|source| TrainingError::Torch { place: place.to_owned(), source })
    }
}

fn joined(operators: &[UnsupportedOperator]) -> String {
    operators.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
