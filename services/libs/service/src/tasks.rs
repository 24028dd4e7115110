//! The one place that spawns: every task has a name, an owner and a policy for its failure.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::shutdown::{Reason, Shutdown};

/// What the failure (an error or a panic) of a task means for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is logged, the service goes on without the task.
    Log,
    /// The service cannot go on: it drains and exits with 1.
    Shutdown,
}

/// The owner of the tasks of one service. Clones are one.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    shutdown: Shutdown,
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (&'static str, Option<AbortHandle>)>,
}

/// Takes a task off the list when its future is dropped, however that comes about.
struct Registered {
    number: u64,
    running: Arc<Mutex<Running>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        locked(&self.running).tasks.remove(&self.number);
    }
}

fn locked(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tasks {
    /// The owner of tasks whose failure may stop the service through `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            shutdown,
            running: Arc::default(),
        }
    }

    /// Cancelled when background tasks must end: after the last request. Loops watch it.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Starts a background task. `work` is given the token of [`stop`](Self::stop) and must return soon
    /// after it is cancelled; later it is aborted at its next await point.
    pub fn spawn<W, F, E>(&self, name: &'static str, on_error: OnError, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let future = work(self.stop.clone());
        let shutdown = self.shutdown.clone();
        drop(self.start(name, async move {
            let failure = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panicked: {}", panic_text(panic.as_ref())),
            };
            match on_error {
                OnError::Log => tracing::error!(task = name, error = %failure, "task failed"),
                OnError::Shutdown => {
                    tracing::error!(task = name, error = %failure, "task failed, stopping the service");
                    shutdown.request(Reason::TaskFailed { task: name });
                }
            }
        }));
    }

    /// Starts a task of one request, whose value the request awaits or whose stream the request reads.
    /// A panic reaches the awaiting side as a `JoinError`. Dropping the handle lets the task go on.
    pub fn start<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut list = locked(&self.running);
        let number = list.next;
        list.next += 1;
        list.tasks.insert(number, (name, None));
        drop(list);

        let registered = Registered { number, running: Arc::clone(&self.running) };
        let future = self.tracker.track_future(async move {
            let value = future.await;
            drop(registered);
            value
        });
        #[expect(clippy::disallowed_methods, reason = "this is the owner of all tasks")]
        let handle = tokio::spawn(future);
        // The task may have ended already; then there is nothing to abort.
        if let Some((_, abort)) = locked(&self.running).tasks.get_mut(&number) {
            *abort = Some(handle.abort_handle());
        }
        handle
    }

    /// The names of the tasks running now, oldest first.
    pub fn running(&self) -> Vec<&'static str> {
        locked(&self.running).tasks.values().map(|(name, _)| *name).collect()
    }

    /// Tells all tasks to end and waits for them, at most `limit`; those that do not end in time are
    /// aborted and their names returned.
    pub async fn finish(&self, limit: Duration) -> Vec<&'static str> {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        let late: Vec<_> = locked(&self.running).tasks.values().cloned().collect();
        for (name, abort) in &late {
            tracing::warn!(task = name, "task did not end in time, aborting it");
            if let Some(abort) = abort {
                abort.abort();
            }
        }
        late.into_iter().map(|(name, _)| name).collect()
    }
}

/// The message of a panic, where it has one.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn tasks_end_when_told() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("loop", OnError::Shutdown, |stop| async move {
            stop.cancelled().await;
            Ok::<_, Infallible>(())
        });
        assert_eq!(tasks.running(), ["loop"]);
        assert!(tasks.finish(Duration::from_mins(1)).await.is_empty());
        assert!(tasks.running().is_empty());
        assert_eq!(tasks.shutdown.reason(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deaf_task_is_aborted_at_the_limit() {
        let tasks = Tasks::new(Shutdown::new());
        let begin = tokio::time::Instant::now();
        let handle = tasks.start("deaf", pending::<()>());
        assert_eq!(tasks.finish(Duration::from_secs(5)).await, ["deaf"]);
        assert_eq!(begin.elapsed().as_secs(), 5);
        assert!(handle.await.unwrap_err().is_cancelled());
        assert!(tasks.running().is_empty());
    }

    #[tokio::test]
    async fn a_failure_follows_its_policy() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("optional", OnError::Log, |_| async { Err("gone") });
        assert!(tasks.finish(Duration::from_mins(1)).await.is_empty());
        assert_eq!(shutdown.reason(), None);

        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("needed", OnError::Shutdown, |_| async { Err("gone") });
        shutdown.requested().await;
        assert_eq!(shutdown.reason(), Some(Reason::TaskFailed { task: "needed" }));
    }

    #[tokio::test]
    async fn a_panic_is_a_failure() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("broken", OnError::Shutdown, |_| async {
            assert!(tokio::task::try_id().is_none(), "on purpose");
            Ok::<_, Infallible>(())
        });
        shutdown.requested().await;
        assert_eq!(shutdown.reason(), Some(Reason::TaskFailed { task: "broken" }));
    }
}
