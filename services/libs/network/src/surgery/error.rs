//! Why a network cannot be taken apart as asked.

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::NetworkError;

/// Why a part of a network is not to be had. Every text says what would do, where something would.
#[derive(Debug, thiserror::Error)]
pub enum SurgeryError {
    /// The file is not the one that was imported.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// File and description speak of different networks.
    #[error("the description names the tensor {tensor:?}, which the network file has not: import it again")]
    OtherNetwork {
        /// The tensor.
        tensor: String,
    },
    /// No layer and no tensor has this name.
    #[error(
        "the network has no layer and no tensor {layer:?} on the way from its input to its output; {instead}"
    )]
    NoSuchLayer {
        /// What was asked for.
        layer: String,
        /// What would do.
        instead: String,
    },
    /// A part of the network goes around this layer.
    #[error("layer {layer:?} does not carry the whole network, {bypass:?} goes around it; {instead}")]
    Bypassed {
        /// What was asked for.
        layer: String,
        /// A tensor that reaches the output without the layer.
        bypass: String,
        /// What would do.
        instead: String,
    },
    /// The layer makes something else than channels of pictures.
    #[error("layer {layer:?} makes {found}, not an activation [N, channels, rows, columns]; {instead}")]
    NotAnActivation {
        /// What was asked for.
        layer: String,
        /// What it makes.
        found: String,
        /// What would do.
        instead: String,
    },
    /// No layer would do.
    #[error(
        "no activation [N, channels, rows, columns] carries the whole network: methods that look inside it \
         cannot be used, those that only ask for its answers can"
    )]
    NoCut,
    /// A layer has no channel of this number.
    #[error("layer {layer:?} has the channels 0..{channels}, not {channel}")]
    NoSuchChannel {
        /// The layer.
        layer: String,
        /// What was asked for.
        channel: usize,
        /// Channels it has.
        channels: u64,
    },
    /// The channels of a tensor cannot be limited.
    #[error("the channels of {tensor:?} cannot be limited: {reason}")]
    NotLimited {
        /// The tensor.
        tensor: String,
        /// Why not.
        reason: String,
    },
    /// There is no linear layer but the one that names the classes.
    #[error(
        "the network has no linear layer before the one that names its classes: triggers cannot be unlearned \
         there; use the methods ft or ft-sam"
    )]
    NoLinearLayer,
    /// The network takes one image at a time.
    #[error(
        "the network file fixes its batch axis to one image, overlays need many at once: export the network \
         with a free batch axis and import it again"
    )]
    OneImageOnly,
    /// The parts of a guard do not fit the network or each other.
    #[error("{what} is {found}, the guarded network needs {needed}")]
    Guard {
        /// Which part.
        what: &'static str,
        /// What it is.
        found: String,
        /// What is needed.
        needed: String,
    },
}

impl Coded for SurgeryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Network(error) => error.code(),
            Self::OtherNetwork { .. } => ErrorCode::ModelFileInvalid,
            Self::NoSuchLayer { .. }
            | Self::Bypassed { .. }
            | Self::NotAnActivation { .. }
            | Self::NoSuchChannel { .. } => ErrorCode::InvalidField,
            Self::NoCut | Self::NotLimited { .. } | Self::NoLinearLayer => ErrorCode::ModelFileUnsupported,
            Self::OneImageOnly => ErrorCode::ExportImpossible,
            Self::Guard { .. } => ErrorCode::TensorShape,
        }
    }

    fn field(&self) -> Option<String> {
        let named =
            matches!(self, Self::NoSuchLayer { .. } | Self::Bypassed { .. } | Self::NotAnActivation { .. });
        named.then(|| "layer".to_owned())
    }
}
