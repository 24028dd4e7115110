//! What can be wrong with a foreign network.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a foreign network is not taken. Every text names the fault and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file is damaged, truncated or of another kind.
    #[error("the model file is damaged or of another kind: {fault}")]
    Damaged {
        /// Where and how.
        fault: String,
    },
    /// A layer, operator, option or data type that is not supported.
    #[error("{what} is not supported: {hint}")]
    Unsupported {
        /// The layer, operator or option, by name.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Something that is refused on principle: Lambda, custom objects, outside files.
    #[error("{what} is refused: {reason}")]
    Refused {
        /// What, by name.
        what: String,
        /// Why.
        reason: String,
    },
    /// A weight is NaN or infinite.
    #[error("weight {tensor:?} holds {value} at element {index}: the network is damaged, export it again")]
    NotFinite {
        /// The tensor's name.
        tensor: String,
        /// Flat index of the first such element.
        index: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// Sound, but not an image classifier.
    #[error("the network is not an image classifier: {reason}")]
    NotAClassifier {
        /// What its input or output is instead.
        reason: String,
    },
    /// Larger than the limits allow.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What was counted, with its unit.
        what: String,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// The version cannot be written in the format asked for.
    #[error("the network cannot be exported as {format}: {reason}")]
    NotExportable {
        /// The format.
        format: &'static str,
        /// Why.
        reason: String,
    },
    /// The file system failed.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// Which file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl Coded for NetworkError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged { .. } => ErrorCode::ModelFileInvalid,
            Self::Unsupported { .. } => ErrorCode::ModelFileUnsupported,
            Self::Refused { .. } => ErrorCode::ModelFileRefused,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::NotAClassifier { .. } => ErrorCode::NotAClassifier,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::NotExportable { .. } => ErrorCode::ExportImpossible,
            Self::File { .. } => ErrorCode::Internal,
        }
    }
}
