//! What can be wrong with a request of the Open Inference Protocol, beside its tensors.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a protocol request is refused before it reaches the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// Raw and typed contents were mixed.
    #[error(
        "inputs[{index}] {name:?} has typed contents beside raw_input_contents: send all tensors raw or all typed"
    )]
    MixedContents {
        /// Index of the input.
        index: usize,
        /// Its name.
        name: String,
    },
    /// As many raw entries as inputs are needed.
    #[error(
        "raw_input_contents has {found} entries for {expected} inputs: send one entry an input, in order"
    )]
    RawCount {
        /// Count of inputs.
        expected: usize,
        /// Count of entries.
        found: usize,
    },
    /// An axis is negative.
    #[error("inputs[{index}] {name:?} has the negative axis {axis} in its shape: send the real size")]
    NegativeAxis {
        /// Index of the input.
        index: usize,
        /// Its name.
        name: String,
        /// The axis.
        axis: i64,
    },
    /// The contents are of another type than the tensor says.
    #[error("inputs[{index}] {name:?} is {datatype} but carries {field}: fill {expected}")]
    ContentsField {
        /// Index of the input.
        index: usize,
        /// Its name.
        name: String,
        /// Declared type.
        datatype: String,
        /// The field that was filled.
        field: &'static str,
        /// The field that belongs to the type.
        expected: &'static str,
    },
    /// A type that has no typed contents.
    #[error("inputs[{index}] {name:?} is {datatype}, which travels only in raw_input_contents")]
    OnlyRaw {
        /// Index of the input.
        index: usize,
        /// Its name.
        name: String,
        /// Declared type.
        datatype: String,
    },
    /// A value does not fit the declared type.
    #[error("inputs[{index}] {name:?} holds {value}, which is outside {datatype}")]
    OutsideType {
        /// Index of the input.
        index: usize,
        /// Its name.
        name: String,
        /// Declared type.
        datatype: String,
        /// The first value outside.
        value: String,
    },
    /// A parameter that asks for something this server does not do.
    #[error("parameter {parameter:?} is not supported: {hint}")]
    Parameter {
        /// Its name.
        parameter: String,
        /// What to do.
        hint: &'static str,
    },
    /// The model is not known.
    #[error("model {model:?} is not known: `gifthorse model list` shows those that are")]
    UnknownModel {
        /// Its name, shortened.
        model: String,
    },
    /// The version is not known.
    #[error("model {model:?} has no version {version:?} that is served: `gifthorse model show` lists them")]
    UnknownVersion {
        /// The model.
        model: String,
        /// The version, shortened.
        version: String,
    },
    /// Known, but not ready.
    #[error("model {model:?} is {state}{reason}: load it, or try again")]
    NotReady {
        /// The model.
        model: String,
        /// Its state.
        state: &'static str,
        /// Why, with a leading separator; empty when there is nothing to say.
        reason: String,
    },
    /// Another network answers at the server of a linked version.
    #[error("{reason}")]
    Changed {
        /// How that shows, and what to do.
        reason: String,
    },
    /// No model name was given.
    #[error("{field} is empty: name a model")]
    NoModelName {
        /// The field.
        field: &'static str,
    },
}

impl Coded for ProtocolError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::MixedContents { .. } | Self::RawCount { .. } | Self::Parameter { .. } => {
                ErrorCode::InvalidField
            }
            Self::NegativeAxis { .. } => ErrorCode::TensorShape,
            Self::ContentsField { .. } | Self::OnlyRaw { .. } | Self::OutsideType { .. } => {
                ErrorCode::TensorType
            }
            Self::UnknownModel { .. } => ErrorCode::ModelNotFound,
            Self::UnknownVersion { .. } => ErrorCode::ModelVersionNotFound,
            Self::NotReady { .. } => ErrorCode::ModelNotReady,
            Self::Changed { .. } => ErrorCode::LinkedModelChanged,
            Self::NoModelName { .. } => ErrorCode::InvalidName,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::MixedContents { index, .. }
            | Self::ContentsField { index, .. }
            | Self::OnlyRaw { index, .. }
            | Self::OutsideType { index, .. } => Some(format!("inputs[{index}].contents")),
            Self::NegativeAxis { index, .. } => Some(format!("inputs[{index}].shape")),
            Self::RawCount { .. } => Some("raw_input_contents".to_owned()),
            Self::Parameter { .. } => Some("parameters".to_owned()),
            Self::NoModelName { field } => Some((*field).to_owned()),
            Self::UnknownModel { .. }
            | Self::UnknownVersion { .. }
            | Self::NotReady { .. }
            | Self::Changed { .. } => None,
        }
    }
}
