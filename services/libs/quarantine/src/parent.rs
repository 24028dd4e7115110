//! The service's side: starts readers, few at a time, and outlives them all.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::QuarantineError;
use crate::folder::PrivateFolder;
use crate::limits::QuarantineLimits;
use crate::outcome;
use crate::protocol::Envelope;
use crate::supervise::Reader;

/// The running program's own file. Unlike its path it stays the same file when an upgrade replaces it on
/// disk, so that parent and reader never are of two versions.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

const RUNNING: usize = 2;
const WAITING: usize = 16;

/// Runs readers of foreign files in processes of their own. Clones share one queue.
///
/// Start reads from the runtime's worker threads, not from a thread that ends before the read: the kernel
/// kills a reader together with the thread that started it.
#[derive(Debug, Clone)]
pub struct Quarantine {
    limits: QuarantineLimits,
    executable: PathBuf,
    waiting: usize,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Quarantine {
    /// Readers that are this very program, two at a time, with at most 16 more waiting.
    pub fn new(limits: QuarantineLimits) -> Self {
        Self {
            limits,
            executable: PathBuf::from(OWN_EXECUTABLE),
            waiting: WAITING,
            places: Arc::new(Semaphore::new(RUNNING + WAITING)),
            turns: Arc::new(Semaphore::new(RUNNING)),
        }
    }

    /// Readers that are the program at `executable`, which must ask
    /// [`child::requested`](crate::child::requested) first of all.
    #[must_use]
    pub fn with_executable(mut self, executable: impl Into<PathBuf>) -> Self {
        self.executable = executable.into();
        self
    }

    /// At most `running` readers at once and `waiting` reads in the queue; a read beyond is refused.
    #[must_use]
    pub fn with_concurrency(mut self, running: NonZeroUsize, waiting: usize) -> Self {
        self.waiting = waiting;
        self.places = Arc::new(Semaphore::new(running.get() + waiting));
        self.turns = Arc::new(Semaphore::new(running.get()));
        self
    }

    /// What each reader may use.
    pub fn limits(&self) -> &QuarantineLimits {
        &self.limits
    }

    /// Runs one task in a reader whose working directory is an empty folder, gone when this returns.
    ///
    /// Dropping the future kills the reader.
    pub async fn run<Request, Answer>(&self, task: &str, request: &Request) -> Result<Answer, QuarantineError>
    where
        Request: Serialize + Sync + ?Sized,
        Answer: DeserializeOwned,
    {
        let folder = PrivateFolder::create()?;
        self.run_in(folder.path(), task, request).await
    }

    /// Runs one task in a reader whose working directory is `folder`: the way for files in and out.
    ///
    /// Dropping the future kills the reader.
    pub async fn run_in<Request, Answer>(
        &self,
        folder: &Path,
        task: &str,
        request: &Request,
    ) -> Result<Answer, QuarantineError>
    where
        Request: Serialize + Sync + ?Sized,
        Answer: DeserializeOwned,
    {
        let request = serde_json::to_vec(&Envelope { limits: &self.limits, request })
            .map_err(|source| QuarantineError::RequestUnwritable { task: task.to_owned(), source })?;
        let _place =
            self.places.try_acquire().map_err(|_| QuarantineError::QueueFull { waiting: self.waiting })?;
        let _turn = self.turn().await;
        let reader = Reader::start(&self.executable, task, folder, &self.limits)?;
        let ended = reader.converse(&request).await?;
        let answer = outcome::understand(task, &ended, &self.limits);
        match &answer {
            Ok(_) => tracing::debug!(task, log = ended.log.text(), "foreign file read"),
            Err(error) => {
                tracing::warn!(task, %error, log = ended.log.text(), "foreign file not read");
            }
        }
        answer
    }

    #[expect(clippy::expect_used, reason = "nothing closes the semaphore")]
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("the semaphore is open")
    }
}
