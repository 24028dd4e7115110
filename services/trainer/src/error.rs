//! Why a request of `PruningJobs` or `Worker` is refused.

use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::{Identifier, NameError};
use gifthorse_network::surgery::SurgeryError;
use gifthorse_store::StoreError;

use crate::database::DatabaseError;
use crate::launcher::CredentialsError;
use crate::specification::SpecificationError;

/// Everything that can go wrong between a request and its answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainerError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Surgery(#[from] SurgeryError),
    #[error(transparent)]
    Specification(#[from] SpecificationError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A field has a value outside its contract.
    #[error("{field}: {message}")]
    Field { field: &'static str, message: String },
    /// There is no such job.
    #[error("there is no pruningJobs/{0}: it was never queued, or its time to be kept is over")]
    JobNotFound(Identifier),
    /// The job has no report.
    #[error("pruningJobs/{job} has no report: it is {state}")]
    ReportNotFound { job: Identifier, state: &'static str },
    /// The request id was used with another payload.
    #[error("request id {0:?} was used before with another specification: use a new id")]
    RequestIdReused(String),
    /// The page token is not one of ours.
    #[error("the page token does not belong to this listing of jobs: start again without one")]
    PageToken,
    /// As many jobs wait as may.
    #[error("{0} jobs wait already: try again when some of them are done")]
    QueueFull(i64),
    /// The job is over.
    #[error("pruningJobs/{job} has ended already: it is {state}")]
    JobEnded { job: Identifier, state: &'static str },
    /// The lease is no longer the worker's.
    #[error(
        "the lease has expired or its job is over: what this worker did since is not taken; ask for work again"
    )]
    LeaseLost,
    /// A worker asks for a job that is not to be had.
    #[error("pruningJobs/{job} cannot be leased: it is {state}")]
    NotQueued { job: Identifier, state: &'static str },
    /// A fault of ours.
    #[error("{0} failed unexpectedly")]
    Internal(&'static str),
}

impl TrainerError {
    /// A field with a value outside its contract.
    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field { field, message: message.into() }
    }

    fn inner(&self) -> Option<&dyn Coded> {
        Some(match self {
            Self::Name(error) => error,
            Self::Store(error) => error,
            Self::Database(error) => error,
            Self::Surgery(error) => error,
            Self::Specification(error) => error,
            Self::Credentials(error) => error,
            Self::Field { .. }
            | Self::JobNotFound(_)
            | Self::ReportNotFound { .. }
            | Self::RequestIdReused(_)
            | Self::PageToken
            | Self::QueueFull(_)
            | Self::JobEnded { .. }
            | Self::LeaseLost
            | Self::NotQueued { .. }
            | Self::Internal(_) => return None,
        })
    }
}

impl Coded for TrainerError {
    fn code(&self) -> ErrorCode {
        if let Some(inner) = self.inner() {
            return inner.code();
        }
        match self {
            Self::JobNotFound(_) | Self::ReportNotFound { .. } => ErrorCode::ResourceNotFound,
            Self::RequestIdReused(_) => ErrorCode::RequestIdReused,
            Self::PageToken => ErrorCode::InvalidPageToken,
            Self::QueueFull(_) => ErrorCode::QueueFull,
            Self::JobEnded { .. } => ErrorCode::JobEnded,
            Self::LeaseLost | Self::NotQueued { .. } => ErrorCode::LeaseLost,
            Self::Internal(_) => ErrorCode::Internal,
            // All others have an inner error, which has answered above.
            _ => ErrorCode::InvalidField,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Field { field, .. } => Some((*field).to_owned()),
            Self::RequestIdReused(_) => Some("request_id".to_owned()),
            Self::PageToken => Some("page_token".to_owned()),
            other => other.inner().and_then(Coded::field),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotQueued { state, .. } | Self::JobEnded { state, .. } => {
                vec![("state", (*state).to_owned())]
            }
            other => other.inner().map(Coded::facts).unwrap_or_default(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull(_) => Some(Duration::from_secs(10)),
            other => other.inner().and_then(Coded::retry_after),
        }
    }
}
