//! What answers for a version: a network in this process, or one that a foreign server holds.

use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_engine::{EngineError, InferRequest, Model, ModelStatistics, NamedTensor, TensorSpec};

use crate::linked::{LinkError, LinkedModel, Standing};

/// The network of a version, wherever it is.
#[derive(Debug)]
pub(crate) enum Runner {
    /// Here.
    Engine(Model),
    /// At a foreign server.
    Linked(Box<LinkedModel>),
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl Runner {
    /// The inputs; the first axis is free in a network that batches.
    pub(crate) fn inputs(&self) -> &[TensorSpec] {
        match self {
            Self::Engine(model) => model.inputs(),
            Self::Linked(model) => model.inputs(),
        }
    }

    /// The outputs.
    pub(crate) fn outputs(&self) -> &[TensorSpec] {
        match self {
            Self::Engine(model) => model.outputs(),
            Self::Linked(model) => model.outputs(),
        }
    }

    /// Rows that share a run at most; none for a network that cannot batch.
    pub(crate) fn max_batch_rows(&self) -> Option<usize> {
        match self {
            Self::Engine(model) => model.max_batch_rows(),
            Self::Linked(model) => Some(model.part_rows()),
        }
    }

    /// What it has done since it was loaded.
    pub(crate) fn statistics(&self) -> ModelStatistics {
        match self {
            Self::Engine(model) => model.statistics(),
            Self::Linked(model) => model.statistics(),
        }
    }

    /// Runs a request.
    pub(crate) async fn infer(&self, request: InferRequest) -> Result<Vec<NamedTensor>, RunError> {
        match self {
            Self::Engine(model) => model.infer(request).await.map_err(RunError::from),
            Self::Linked(model) => model.infer(request).await,
        }
    }

    /// Refuses further requests and waits until those accepted are answered.
    pub(crate) async fn unload(&self) {
        match self {
            Self::Engine(model) => model.unload().await,
            Self::Linked(model) => model.unload().await,
        }
    }

    /// Whether it takes no more requests, for good.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Engine(model) => model.is_closed(),
            Self::Linked(model) => model.is_closed(),
        }
    }

    /// Where it runs, for the log.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Engine(model) => model.provider().to_string(),
            Self::Linked(model) => model.endpoint().to_owned(),
        }
    }

    /// How it stands; a network in this process is what was loaded.
    pub(crate) fn standing(&self) -> Standing {
        match self {
            Self::Engine(_) => Standing::Sound,
            Self::Linked(model) => model.standing(),
        }
    }

    /// The linked network, if it is one.
    pub(crate) fn linked(&self) -> Option<&LinkedModel> {
        match self {
            Self::Engine(_) => None,
            Self::Linked(model) => Some(model),
        }
    }
}

impl RunError {
    /// Whether the version was unloaded before it accepted the request.
    pub(crate) const fn is_unloaded(&self) -> bool {
        matches!(self, Self::Engine(EngineError::Unloaded { .. }))
    }
}

impl Coded for RunError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Engine(error) => error.code(),
            Self::Link(error) => error.code(),
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.field(),
            Self::Link(error) => error.field(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Engine(error) => error.facts(),
            Self::Link(error) => error.facts(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Engine(error) => error.retry_after(),
            Self::Link(error) => error.retry_after(),
        }
    }
}
