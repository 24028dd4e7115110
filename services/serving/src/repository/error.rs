//! Why a model could not be loaded or unloaded.

use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorClass, ErrorCode};
use gifthorse_api::name::NameError;
use gifthorse_engine::EngineError;
use gifthorse_store::StoreError;

use crate::linked::LinkError;
use crate::protocol::ProtocolError;

/// Why a model could not be loaded or unloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Unknown(#[from] ProtocolError),
    #[error("loading was interrupted: the service is stopping")]
    Interrupted,
    #[error("loading failed unexpectedly: see the log of the serving service")]
    Panicked,
}

impl RepositoryError {
    /// Whether the same attempt may succeed a little later: the fault lies around the version, not in it.
    pub(super) fn passes(&self) -> bool {
        matches!(self.code().class(), ErrorClass::Unavailable | ErrorClass::Exhausted | ErrorClass::Deadline)
    }
}

impl Coded for RepositoryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Name(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::Link(error) => error.code(),
            Self::Unknown(error) => error.code(),
            Self::Interrupted => ErrorCode::Draining,
            Self::Panicked => ErrorCode::Internal,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Store(error) => error.facts(),
            Self::Engine(error) => error.facts(),
            Self::Link(error) => error.facts(),
            Self::Name(_) | Self::Unknown(_) | Self::Interrupted | Self::Panicked => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Engine(error) => error.retry_after(),
            _ => None,
        }
    }
}
