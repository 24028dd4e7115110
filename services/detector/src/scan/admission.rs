//! How many inputs are scanned at once, and how many may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::configuration::ScanConfiguration;
use crate::error::DetectorError;

/// The line that scans stand in. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
}

/// Leaves the line when dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// A line with the configured limits.
    pub(crate) fn new(configuration: &ScanConfiguration) -> Self {
        Self {
            running: Arc::new(Semaphore::new(configuration.concurrent.get())),
            waiting: Arc::default(),
            most_waiting: configuration.waiting.get(),
        }
    }

    /// Waits for a turn. Refused at once when the line is full; leaves it when the future is dropped.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, DetectorError> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        if before >= self.most_waiting {
            return Err(DetectorError::QueueFull { waiting: before });
        }
        let acquired = Arc::clone(&self.running).acquire_owned().await;
        acquired.map_err(|_| DetectorError::Internal("waiting for a turn"))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[tokio::test]
    async fn a_full_line_refuses_and_those_who_leave_make_room() {
        let one = NonZeroUsize::MIN;
        let line = Admission::new(&ScanConfiguration { concurrent: one, waiting: one, ..Default::default() });
        let running = line.enter().await.unwrap();
        let mut first = Box::pin(line.enter());
        assert!(futures::poll!(&mut first).is_pending());
        assert!(matches!(line.enter().await, Err(DetectorError::QueueFull { waiting: 1 })));
        drop(first);
        let mut second = Box::pin(line.enter());
        assert!(futures::poll!(&mut second).is_pending());
        drop(running);
        assert!(second.await.is_ok());
    }
}
