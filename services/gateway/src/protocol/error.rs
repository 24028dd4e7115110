//! Why a request to a guarded model is refused here, beside what serving and the detector refuse.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a protocol request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    /// The input cannot be cut into images.
    #[error(
        "the input of guarded model {model:?} cannot be scanned: send {input:?} alone, FP32 {shape}, {why}"
    )]
    Input {
        /// The model.
        model: String,
        /// Its input.
        input: String,
        /// The shape it takes.
        shape: String,
        /// What is wrong.
        why: String,
    },
    /// A guarded model answers no such output.
    #[error("guarded model {model:?} has no output {found:?}, it has {expected}")]
    UnknownOutput {
        /// The model.
        model: String,
        /// Its place in the request.
        index: usize,
        /// The name given, shortened.
        found: String,
        /// The names there are, separated by commas.
        expected: String,
    },
    /// An output is asked for twice.
    #[error("output {found:?} is given twice")]
    RepeatedOutput {
        /// Place of the second one.
        index: usize,
        /// Its name.
        found: String,
    },
    /// An output is asked for in a form that is not built.
    #[error("parameter {parameter:?} is not supported: outputs are answered whole; ask without parameters")]
    Parameter {
        /// Its name.
        parameter: String,
    },
    /// The policy asks that trojaned inputs are refused, and this is one.
    #[error(
        "row {row} of the request carries a hidden trigger by {policy}, which refuses such requests: send the \
         other rows without it"
    )]
    Trojaned {
        /// The row, from 0.
        row: usize,
        /// The policy.
        policy: String,
    },
    /// Serving's answer is not what its record says.
    #[error("serving answered {found} for guarded model {model:?}, not FP32 probabilities {expected}")]
    Answer {
        /// The model.
        model: String,
        /// What came.
        found: String,
        /// What the record says.
        expected: String,
    },
}

impl Coded for ProtocolError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Input { .. } => ErrorCode::TensorShape,
            Self::UnknownOutput { .. } => ErrorCode::UnknownTensor,
            Self::RepeatedOutput { .. } | Self::Parameter { .. } => ErrorCode::InvalidField,
            Self::Trojaned { .. } => ErrorCode::InputTrojaned,
            Self::Answer { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Input { .. } => Some("inputs".to_owned()),
            Self::UnknownOutput { index, .. } | Self::RepeatedOutput { index, .. } => {
                Some(format!("outputs[{index}].name"))
            }
            Self::Parameter { .. } => Some("outputs.parameters".to_owned()),
            Self::Trojaned { .. } | Self::Answer { .. } => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Trojaned { row, policy } => vec![("row", row.to_string()), ("policy", policy.clone())],
            _ => Vec::new(),
        }
    }
}
