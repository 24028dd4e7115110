//! What can go wrong between images and a curve.

use std::io;
use std::path::PathBuf;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::{DatasetError, PrepareError};
use gifthorse_defence::pruning::{ActivationError, RankingError};
use gifthorse_engine::EngineError;
use gifthorse_network::surgery::SurgeryError;

/// Why a curve could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The network cannot be cut there.
    #[error(transparent)]
    Surgery(#[from] SurgeryError),
    /// The engine failed or refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The images cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The images do not fit the preprocessing record.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The activations cannot be averaged.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The channels cannot be ranked.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// A half of the network answers something else than its file says.
    #[error(
        "{part} of {network} answered {found} numbers where {expected} were due: import the network again"
    )]
    Answer {
        /// The network.
        network: String,
        /// Which half.
        part: &'static str,
        /// Numbers due.
        expected: usize,
        /// Numbers that came.
        found: usize,
    },
    /// A logit is NaN or infinite.
    #[error(
        "{network} answers logits that are not finite for image {row} of a batch: check its weights and the \
         preprocessing record"
    )]
    NotFinite {
        /// The network.
        network: String,
        /// The image's place in its batch.
        row: usize,
    },
    /// Images are prepared for another network.
    #[error("images of {found} numbers each do not fit the network's input {expected:?}")]
    Images {
        /// The axes of the network's input after the batch.
        expected: [usize; 3],
        /// Numbers an image has.
        found: usize,
    },
    /// A set has not one label an image.
    #[error("{images} images have {labels} {kind}: each needs one")]
    Labels {
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
        /// `true classes` or `target classes`.
        kind: &'static str,
    },
    /// Rows were asked for that the images have not.
    #[error("row {row} was asked for of {count} images")]
    Row {
        /// The row.
        row: usize,
        /// Images there are.
        count: usize,
    },
    /// The ranking is of another layer.
    #[error("the ranking orders {ranked} channels, layer {layer:?} has {channels}")]
    OtherLayer {
        /// Channels ranked.
        ranked: usize,
        /// The layer.
        layer: String,
        /// Channels of the layer.
        channels: usize,
    },
    /// A part of the curve was asked for that there is not.
    #[error("steps {from} to {to} were asked for of a layer of {channels} channels")]
    Steps {
        /// First point.
        from: usize,
        /// Last point.
        to: usize,
        /// Channels of the layer.
        channels: usize,
    },
    /// The disk has no room for the activations that do not fit into memory.
    #[error(
        "no room in {} for more than {written} bytes of activations: make room there, name another folder, or \
         allow more memory",
        folder.display()
    )]
    DiskFull {
        /// Where it was tried.
        folder: PathBuf,
        /// Bytes that found room.
        written: u64,
    },
    /// The file of activations failed otherwise.
    #[error("cannot {action} the file of activations in {}: {source}", folder.display())]
    Spill {
        /// `make`, `write` or `read`.
        action: &'static str,
        /// Where.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The observer ended it.
    #[error("the work was cancelled")]
    Cancelled,
}

impl Coded for SweepError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Surgery(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::Dataset(error) => error.code(),
            Self::Prepare(error) => error.code(),
            Self::Activation(error) => error.code(),
            Self::Ranking(error) => error.code(),
            Self::Answer { .. } => ErrorCode::EngineFailed,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::Images { .. } => ErrorCode::TensorShape,
            Self::Labels { .. } | Self::Row { .. } => ErrorCode::DatasetInvalid,
            Self::OtherLayer { .. } => ErrorCode::RecordInvalid,
            Self::Steps { .. } | Self::Spill { .. } => ErrorCode::Internal,
            Self::DiskFull { .. } => ErrorCode::Overloaded,
            Self::Cancelled => ErrorCode::Cancelled,
        }
    }

    fn field(&self) -> Option<String> {
        if let Self::Surgery(error) = self { error.field() } else { None }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Engine(error) => error.facts(),
            Self::Dataset(error) => error.facts(),
            Self::Prepare(error) => error.facts(),
            _ => Vec::new(),
        }
    }
}
