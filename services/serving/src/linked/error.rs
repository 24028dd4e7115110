//! What can go wrong with a foreign server.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a network cannot be linked, or a linked one does not answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The operator does not allow the server.
    #[error(
        "endpoint {endpoint} is not allowed: the operator of the serving service lists the servers that may be \
         linked in its setting link.endpoints"
    )]
    NotAllowed {
        /// `host:port`.
        endpoint: String,
    },
    /// The server cannot be reached.
    #[error("the linked server {endpoint} does not answer ({reason}): see whether it runs")]
    Unreachable {
        /// `host:port`.
        endpoint: String,
        /// What the transport said.
        reason: String,
    },
    /// The server did not answer in time.
    #[error(
        "the linked server {endpoint} did not answer before the deadline: allow more time, or send less at once"
    )]
    Late {
        /// `host:port`.
        endpoint: String,
    },
    /// The server refused.
    #[error("the linked server {endpoint} refuses model {model:?}: {reason}")]
    Refused {
        /// `host:port`.
        endpoint: String,
        /// The model there.
        model: String,
        /// What it said, shortened.
        reason: String,
        /// Whether the same may succeed a little later, as the server says.
        passes: bool,
    },
    /// The server answered something that is no answer to the request.
    #[error("the linked server {endpoint} answers for model {model:?} {what}")]
    Answer {
        /// `host:port`.
        endpoint: String,
        /// The model there.
        model: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The answer has NaN or an infinity in it.
    #[error(
        "the linked server {endpoint} answers for model {model:?} with NaN or an infinity in row {row}: the input \
         or the model's weights are bad"
    )]
    NotFinite {
        /// `host:port`.
        endpoint: String,
        /// The model there.
        model: String,
        /// Row of the request, from 0.
        row: usize,
    },
    /// The answers are no probabilities.
    #[error(
        "the output of model {model:?} is not probabilities: {what}; if it is logits, say so (`--logits`)"
    )]
    NotProbabilities {
        /// The model there.
        model: String,
        /// Which row, and what it holds.
        what: String,
    },
    /// The same image is not always answered alike.
    #[error(
        "model {model:?} answers the same image differently when it comes alone or with others (by {difference}): \
         no calibration would hold; link a network that has no random part and treats rows one by one"
    )]
    Unsteady {
        /// The model there.
        model: String,
        /// Largest difference of a probability.
        difference: f32,
    },
    /// What the server says of the model does not fit the request to link it.
    #[error("{field}: {message}")]
    Metadata {
        /// The field of the request.
        field: &'static str,
        /// What does not fit, and what to do.
        message: String,
    },
    /// Another network answers.
    #[error(
        "model {model:?} of the linked server {endpoint} is not the network that was linked: it {what}; link it \
         again as a new version and calibrate that, or bring the old network back"
    )]
    Changed {
        /// `host:port`.
        endpoint: String,
        /// The model there.
        model: String,
        /// The difference.
        what: String,
    },
    /// The stored link cannot be used.
    #[error("the stored link is damaged or of another release: {reason}")]
    Document {
        /// Why.
        reason: String,
    },
}

impl Coded for LinkError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotAllowed { .. } => ErrorCode::PermissionDenied,
            Self::Unreachable { .. } | Self::Refused { passes: true, .. } => ErrorCode::ServiceUnavailable,
            Self::Late { .. } => ErrorCode::DeadlineExceeded,
            Self::Refused { passes: false, .. } | Self::Answer { .. } => ErrorCode::EngineFailed,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::NotProbabilities { .. } | Self::Unsteady { .. } => ErrorCode::NotAClassifier,
            Self::Metadata { .. } => ErrorCode::InvalidField,
            Self::Changed { .. } => ErrorCode::LinkedModelChanged,
            Self::Document { .. } => ErrorCode::RecordInvalid,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Metadata { field, .. } => Some((*field).to_owned()),
            Self::NotAllowed { .. } => Some("endpoint.endpoint".to_owned()),
            _ => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotAllowed { endpoint } => {
                vec![("endpoint", endpoint.clone()), ("setting", "link.endpoints".to_owned())]
            }
            Self::Unreachable { endpoint, .. }
            | Self::Late { endpoint }
            | Self::Refused { endpoint, .. }
            | Self::Answer { endpoint, .. }
            | Self::NotFinite { endpoint, .. }
            | Self::Changed { endpoint, .. } => vec![("endpoint", endpoint.clone())],
            Self::NotProbabilities { .. }
            | Self::Unsteady { .. }
            | Self::Metadata { .. }
            | Self::Document { .. } => Vec::new(),
        }
    }
}

/// What a stranger's server said, for a message: at most 300 characters, on one line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(300).map(|character| if character.is_control() { ' ' } else { character }).collect()
}
