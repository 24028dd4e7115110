//! Why a specification is refused.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a specification is refused. Every text names the field, the value and what would do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum SpecificationError {
    /// A field has a value that no job can have.
    #[error("{field}: {message}")]
    Field {
        /// The field, as the contract names it.
        field: String,
        /// The value and what would do.
        message: String,
    },
    /// The layer is none of those that can be pruned.
    #[error(
        "specification.layer: the network has no activation {layer:?} whose channels can be pruned; {instead}"
    )]
    Layer {
        /// What was asked for, shortened.
        layer: String,
        /// What would do.
        instead: String,
        /// The closest names.
        closest: Vec<String>,
    },
    /// The network cannot be pruned at all.
    #[error("specification.model: {model} cannot be pruned: {reason}")]
    Model {
        /// The version.
        model: String,
        /// Why not.
        reason: String,
    },
    /// A data set does not fit the model.
    #[error("{field}: datasets/{dataset} {fault}")]
    Dataset {
        /// The field that names it.
        field: String,
        /// Its name.
        dataset: String,
        /// What does not fit, and what would do.
        fault: String,
    },
}

impl SpecificationError {
    /// A field of the specification with a value that no job can have.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Field { field: format!("specification.{field}"), message: message.into() }
    }
}

impl Coded for SpecificationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field { .. } | Self::Layer { .. } => ErrorCode::InvalidField,
            Self::Model { .. } => ErrorCode::ModelFileUnsupported,
            Self::Dataset { .. } => ErrorCode::DatasetInvalid,
        }
    }

    fn field(&self) -> Option<String> {
        Some(match self {
            Self::Field { field, .. } | Self::Dataset { field, .. } => field.clone(),
            Self::Layer { .. } => "specification.layer".to_owned(),
            Self::Model { .. } => "specification.model".to_owned(),
        })
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Layer { closest, .. } => vec![("closest", closest.join(","))],
            _ => Vec::new(),
        }
    }
}
