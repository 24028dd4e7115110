//! A loaded model: what callers hold.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::Coded;
use tokio::sync::{oneshot, watch};

use crate::answer::Answer;
use crate::error::EngineError;
use crate::options::Provider;
use crate::owner::Shared;
use crate::request::{AnswerReceiver, InferRequest, Waiting};
use crate::statistics::{ModelStatistics, Outcome};
use crate::tensor::{NamedTensor, TensorSpec};

/// A model whose owner threads run. Clones are handles to the same model.
///
/// [`Model::unload`] ends it in good order. When the last handle is dropped without that the threads end all
/// the same, and the drop waits for the run that is under way.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    provider: Provider,
    max_batch_rows: usize,
    /// Owner threads that have not ended.
    running: watch::Receiver<usize>,
    owners: Mutex<Vec<JoinHandle<()>>>,
}

impl Model {
    pub(crate) fn new(
        shared: Arc<Shared>,
        provider: Provider,
        max_batch_rows: usize,
        running: watch::Receiver<usize>,
        owners: Vec<JoinHandle<()>>,
    ) -> Self {
        let owners = Mutex::new(owners);
        Self { inner: Arc::new(Inner { shared, provider, max_batch_rows, running, owners }) }
    }

    /// The inputs, in the file's order. The first axis is free in a model that batches.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inner.shared.signature.inputs
    }

    /// The outputs, in the file's order.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.inner.shared.signature.outputs
    }

    /// On what the model runs.
    pub fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    /// Rows of several requests that share a run at most; none for a model that cannot batch, because the
    /// count of rows is fixed in its file or its outputs do not follow it.
    pub fn max_batch_rows(&self) -> Option<usize> {
        self.inner.shared.signature.batching.then_some(self.inner.max_batch_rows)
    }

    /// Rows that wait at this moment.
    pub fn waiting_rows(&self) -> usize {
        self.inner.shared.queue.rows()
    }

    /// Whether the model takes no more requests, for good: unloading has begun, or all its owner threads have
    /// died. A caller treats such a model as absent and loads it again.
    pub fn is_closed(&self) -> bool {
        self.inner.shared.queue.is_closed()
    }

    /// What the model has done so far.
    pub fn statistics(&self) -> ModelStatistics {
        self.inner.shared.ledger.snapshot()
    }

    /// Runs a request and gives the wanted outputs.
    ///
    /// Errors: those of a request that does not fit the model (`UnknownTensor` to `Boolean`), `TooManyRows`,
    /// `QueueFull`, `Unloaded`, `DeadlineExceeded`, `NotFinite`, `Run`.
    ///
    /// Dropping the future takes the request back: it is not run if it still waits. The deadline is looked at
    /// before a run, not during one; a caller that must not wait longer drops the future.
    pub async fn infer(&self, request: InferRequest) -> Result<Vec<NamedTensor>, EngineError> {
        let (answer, wanted) = self.submit(request)?;
        self.finish(answer.await, &wanted)
    }

    /// As [`Model::infer`], for threads outside an async runtime; panics inside one.
    pub fn infer_blocking(&self, request: InferRequest) -> Result<Vec<NamedTensor>, EngineError> {
        self.begin(request)?.finish_blocking()
    }

    /// Queues a request and comes back at once: for threads that keep several requests going. Errors that are
    /// known before the run are given here.
    pub fn begin(&self, request: InferRequest) -> Result<Pending, EngineError> {
        let (answer, wanted) = self.submit(request)?;
        Ok(Pending { model: self.clone(), answer, wanted })
    }

    /// Refuses further requests, waits until those queued and running are answered, and ends the owner
    /// threads. Handles that are left answer `Unloaded`. May be called again.
    pub async fn unload(&self) {
        self.inner.shared.queue.close();
        let mut running = self.inner.running.clone();
        // An error means that the threads and their sender are gone, which is what is waited for.
        drop(running.wait_for(|running| *running == 0).await);
        self.inner.join();
    }

    fn submit(&self, request: InferRequest) -> Result<(AnswerReceiver, Vec<usize>), EngineError> {
        let arrived = Instant::now();
        let shared = &self.inner.shared;
        let deadline = request.deadline;
        let queued = shared.signature.validate(request).and_then(|checked| {
            let (reply, answer) = oneshot::channel();
            let wanted = checked.wanted.clone();
            shared.queue.push(Waiting { checked, deadline, arrived, reply })?;
            Ok((answer, wanted))
        });
        queued.inspect_err(|error| self.count_failure(error, arrived.elapsed()))
    }

    fn finish(
        &self,
        answer: Result<Result<Answer, EngineError>, oneshot::error::RecvError>,
        wanted: &[usize],
    ) -> Result<Vec<NamedTensor>, EngineError> {
        let signature = &self.inner.shared.signature;
        match answer {
            Ok(answer) => Ok(answer?.into_tensors(signature, wanted)),
            Err(_dropped) => {
                let error = EngineError::OwnerDied { model: signature.model.clone() };
                self.count_failure(&error, Duration::ZERO);
                Err(error)
            }
        }
    }

    fn count_failure(&self, error: &EngineError, took: Duration) {
        self.inner.shared.ledger.record(&[], [Outcome::Failure { code: error.code(), took }]);
    }
}

/// A request that was queued and whose answer is still to be fetched. Dropping it takes the request back.
#[derive(Debug)]
pub struct Pending {
    model: Model,
    answer: AnswerReceiver,
    wanted: Vec<usize>,
}

impl Pending {
    /// Waits for the wanted outputs, on a thread outside an async runtime; panics inside one. The errors are
    /// those of [`Model::infer`].
    pub fn finish_blocking(self) -> Result<Vec<NamedTensor>, EngineError> {
        self.model.finish(self.answer.blocking_recv(), &self.wanted)
    }
}

impl Inner {
    fn join(&self) {
        let owners = std::mem::take(&mut *self.owners.lock().unwrap_or_else(PoisonError::into_inner));
        for owner in owners {
            if owner.join().is_err() {
                tracing::error!(model = self.shared.signature.model, "an owner thread panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.join();
    }
}
