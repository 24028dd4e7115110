//! Work that would hold up an async thread.

use crate::error::{Result, StoreError};

/// Runs hashing or file work on the runtime's blocking threads.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let stopped = |error| StoreError::Internal { what: format!("blocking work did not end: {error}") };
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}
