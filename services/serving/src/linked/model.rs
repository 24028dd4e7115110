//! A linked version in service: requests in, checked probabilities out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_engine::{
    Datatype, EngineError, InferRequest, ModelStatistics, NamedTensor, Shape, Tensor, TensorSpec,
};
use gifthorse_store::ModelRecord;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::answers::Rows;
use super::document::LinkDocument;
use super::error::LinkError;
use super::foreign::{Foreign, Patience};
use super::health::{Health, Standing};
use super::parts::{part_rows, parts};
use super::probes::Probes;
use super::statistics::Ledger;
use crate::configuration::LinkConfiguration;
use crate::repository::RunError;

/// Parts of one request that are under way at once.
const PARTS_AT_ONCE: usize = 4;
/// What a caller is told to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// While nothing is known of the network, it is asked again this often.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A version whose network a foreign server holds.
#[derive(Debug)]
pub(crate) struct LinkedModel {
    name: String,
    foreign: Foreign,
    document: LinkDocument,
    probes: Probes,
    inputs: [TensorSpec; 1],
    outputs: [TensorSpec; 1],
    part: usize,
    request_time: Duration,
    probe_interval: Duration,
    queue_rows: usize,
    rows: AtomicUsize,
    lanes: Semaphore,
    /// Requests that were accepted and are not answered yet.
    accepted: TaskTracker,
    health: Mutex<Health>,
    /// One probing at a time.
    probing: tokio::sync::Mutex<()>,
    ledger: Ledger,
}

/// Rows that are taken until it is dropped.
struct Taken<'a> {
    rows: usize,
    all: &'a AtomicUsize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.rows, Ordering::Relaxed);
    }
}

impl LinkedModel {
    /// The version of this record and its `link.json`. Nothing is asked yet. Called within a tokio runtime.
    pub(crate) fn new(
        record: &ModelRecord,
        document: LinkDocument,
        configuration: &LinkConfiguration,
        queue_rows: usize,
    ) -> Result<Self, LinkError> {
        let foreign = Foreign::new(document.link.clone(), configuration)?;
        let specification = &record.specification;
        let preprocessing = &specification.preprocessing;
        let part = configuration.part_rows(document.fixed_rows, preprocessing);
        let spec = |name: &str, axes: &[usize]| TensorSpec {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: std::iter::once(None).chain(axes.iter().map(|axis| Some(*axis as u64))).collect(),
        };
        let tensors = &specification.tensors;
        Ok(Self {
            name: format!("{} version {}", record.model, record.version),
            foreign,
            probes: Probes::new(preprocessing.clone(), part),
            inputs: [spec(&tensors.input, &preprocessing.shape(1)[1..])],
            outputs: [spec(&tensors.output, &[specification.classes.count() as usize])],
            document,
            part,
            request_time: configuration.request_timeout,
            probe_interval: configuration.probe_interval,
            queue_rows,
            rows: AtomicUsize::new(0),
            lanes: Semaphore::new(configuration.concurrent_requests.get()),
            accepted: TaskTracker::new(),
            health: Mutex::new(Health::unasked()),
            probing: tokio::sync::Mutex::default(),
            ledger: Ledger::default(),
        })
    }

    /// The one input, as the engine describes those of networks that run here.
    pub(crate) fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The one output.
    pub(crate) fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Rows that go to the server at once.
    pub(crate) fn part_rows(&self) -> usize {
        self.part
    }

    /// Where the network is.
    pub(crate) fn endpoint(&self) -> &str {
        &self.document.link.endpoint
    }

    /// What it has done since it was loaded; probes are not counted.
    pub(crate) fn statistics(&self) -> ModelStatistics {
        self.ledger.snapshot()
    }

    /// Whether it takes no more requests.
    pub(crate) fn is_closed(&self) -> bool {
        self.accepted.is_closed()
    }

    /// Refuses further requests and waits until those accepted are answered.
    pub(crate) async fn unload(&self) {
        self.accepted.close();
        self.accepted.wait().await;
    }

    /// What the last probing found.
    pub(crate) fn standing(&self) -> Standing {
        self.with_health(Health::standing)
    }

    /// Whether the schedule asks for a probing now.
    pub(crate) fn is_due(&self) -> bool {
        self.with_health(|health| health.is_due(self.probe_interval, ASK_AGAIN))
    }

    /// Asks the probes now. The version answers nothing more when another network answers them, until the old
    /// one does again.
    pub(crate) async fn check(&self) -> Result<(), LinkError> {
        let _turn = self.probing.lock().await;
        self.probe().await
    }

    /// Runs a request. Errors are those of a model that runs here, and [`LinkError`].
    pub(crate) async fn infer(&self, request: InferRequest) -> Result<Vec<NamedTensor>, RunError> {
        let accepted = self.accepted.token();
        if self.accepted.is_closed() {
            return Err(EngineError::Unloaded { model: self.name.clone() }.into());
        }
        let entry = self.ledger.begin();
        let answered = self.run(request, entry.arrived()).await;
        drop(accepted);
        match answered {
            Ok((rows, waited, answer)) => {
                entry.succeed(rows, waited);
                Ok(vec![answer])
            }
            Err(error) => {
                entry.fail(&error);
                Err(error)
            }
        }
    }

    async fn run(
        &self,
        request: InferRequest,
        arrived: Instant,
    ) -> Result<(usize, Duration, NamedTensor), RunError> {
        let patience = Patience::within(self.request_time, request.deadline);
        let image = self.validate(request)?;
        let rows = image.shape[0] as usize;
        let _taken = self.take(rows)?;
        let sound = tokio::time::timeout_at(patience.end().into(), self.ensure_sound(arrived)).await;
        sound.map_err(|_elapsed| self.late())??;
        let waited = arrived.elapsed();
        let bytes = image.data.len() / rows;
        let calls = stream::iter(parts(rows, self.part)).map(|part| {
            let data = image.data.slice(part.start * bytes..part.end * bytes);
            let mut shape = [0; 4];
            for (side, length) in shape.iter_mut().zip(&image.shape) {
                *side = *length as i64;
            }
            shape[0] = part.len() as i64;
            async move {
                let lane = tokio::time::timeout_at(patience.end().into(), self.lanes.acquire()).await;
                // The semaphore is never closed.
                let _lane = lane.map_err(|_elapsed| self.late())?;
                let begun = Instant::now();
                let answered = self.foreign.ask(shape, data, patience).await?;
                self.ledger.answered(part.len(), begun.elapsed());
                Ok::<Rows, LinkError>(answered)
            }
        });
        let answers: Result<Vec<Rows>, LinkError> = calls.buffered(PARTS_AT_ONCE).try_collect().await;
        let answers = answers.inspect_err(|error| self.remember(error))?;
        let classes = self.outputs[0].shape[1].unwrap_or_default();
        let mut values = Vec::with_capacity(rows * classes as usize);
        for answer in answers {
            if answer.classes as u64 != classes {
                let what = format!("tells {} classes apart, not {classes}", answer.classes);
                let changed = self.document.changed(what);
                self.set_health(&Err(changed.clone()));
                return Err(changed.into());
            }
            values.extend(answer.values);
        }
        let tensor = Tensor::from_f32(vec![rows as u64, classes], values);
        Ok((rows, waited, NamedTensor { name: self.outputs[0].name.clone(), tensor }))
    }

    /// The image tensor of a request that fits.
    fn validate(&self, request: InferRequest) -> Result<Tensor, EngineError> {
        let unknown = |side, index, found: &str, expected: &TensorSpec| EngineError::UnknownTensor {
            side,
            index,
            found: found.chars().take(80).collect(),
            expected: expected.name.clone(),
        };
        let [spec] = &self.inputs;
        let [output] = &self.outputs;
        for (index, name) in request.outputs.iter().enumerate() {
            if *name != output.name {
                return Err(unknown("output", index, name, output));
            }
            if index > 0 {
                return Err(EngineError::RepeatedTensor { side: "output", index, found: name.clone() });
            }
        }
        let mut inputs = request.inputs.into_iter();
        let Some(NamedTensor { name, tensor }) = inputs.next() else {
            return Err(EngineError::MissingTensor { expected: spec.name.clone() });
        };
        if name != spec.name {
            return Err(unknown("input", 0, &name, spec));
        }
        if let Some(second) = inputs.next() {
            return Err(if second.name == spec.name {
                EngineError::RepeatedTensor { side: "input", index: 1, found: second.name }
            } else {
                unknown("input", 1, &second.name, spec)
            });
        }
        check(spec, name, &tensor)?;
        Ok(tensor)
    }

    fn take(&self, rows: usize) -> Result<Taken<'_>, EngineError> {
        let (model, limit) = (self.name.clone(), self.queue_rows);
        if rows > limit {
            return Err(EngineError::TooManyRows { model, rows, limit });
        }
        let room = |taken: usize| (taken + rows <= limit).then_some(taken + rows);
        match self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => Ok(Taken { rows, all: &self.rows }),
            Err(queued) => {
                Err(EngineError::QueueFull { model, rows, queued, limit, retry_after: RETRY_AFTER })
            }
        }
    }

    /// Makes sure that the network is the one that was linked, asking the probes where that is not known. Those
    /// who wait for an attempt share its outcome.
    async fn ensure_sound(&self, arrived: Instant) -> Result<(), LinkError> {
        let verdict = || self.with_health(|health| health.verdict(arrived));
        if let Some(verdict) = verdict() {
            return verdict;
        }
        let _turn = self.probing.lock().await;
        match verdict() {
            Some(verdict) => verdict,
            None => self.probe().await,
        }
    }

    async fn probe(&self) -> Result<(), LinkError> {
        let outcome = match self.probes.ask(&self.foreign, self.request_time).await {
            Ok(answers) => self.document.compare(&answers),
            // An answer of another form, or none that is a number, comes from another network.
            Err(error @ (LinkError::Answer { .. } | LinkError::NotFinite { .. })) => {
                Err(self.document.changed(format!("fails on the probes ({error})")))
            }
            Err(error) => Err(error),
        };
        self.set_health(&outcome);
        outcome
    }

    /// After the server was out of reach, or refused, another network may be there.
    fn remember(&self, error: &LinkError) {
        if matches!(
            error,
            LinkError::Unreachable { .. } | LinkError::Refused { .. } | LinkError::Answer { .. }
        ) {
            let reason = error.to_string();
            *self.health.lock().unwrap_or_else(PoisonError::into_inner) =
                Health::Unknown { reason, failed: None };
        }
    }

    fn set_health(&self, outcome: &Result<(), LinkError>) {
        let next = Health::after(outcome);
        let standing = next.standing();
        let before = {
            let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *health, next).standing()
        };
        if before == standing {
            return;
        }
        let version = &self.name;
        match standing {
            Standing::Sound => tracing::info!(version, "a linked version answers as it was linked"),
            Standing::Unknown(reason) => tracing::warn!(version, %reason, "a linked version cannot be asked"),
            Standing::Changed(reason) => {
                tracing::error!(version, %reason, "a linked version is another network");
            }
        }
    }

    fn with_health<T>(&self, read: impl FnOnce(&Health) -> T) -> T {
        read(&self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn late(&self) -> LinkError {
        LinkError::Late { endpoint: self.document.link.endpoint.clone() }
    }
}

impl LinkConfiguration {
    /// Rows of this network that go into one message.
    pub(crate) fn part_rows(&self, fixed_rows: Option<u64>, preprocessing: &Preprocessing) -> usize {
        let row_bytes = preprocessing.shape(1).iter().product::<usize>() * size_of::<f32>();
        part_rows(fixed_rows, row_bytes, self.max_rows.get(), self.part_bytes.as_usize())
    }
}

/// The checks that the engine makes of a tensor for a network that runs here.
fn check(spec: &TensorSpec, name: String, tensor: &Tensor) -> Result<(), EngineError> {
    if tensor.datatype != spec.datatype {
        let (expected, found) = (spec.datatype, tensor.datatype);
        return Err(EngineError::Datatype { index: 0, name, expected, found });
    }
    let mut pairs = tensor.shape.iter().zip(&spec.shape);
    let fits = tensor.shape.len() == spec.shape.len()
        && pairs.all(|(length, expected)| *length > 0 && expected.is_none_or(|expected| expected == *length));
    if !fits {
        let found = Shape(tensor.shape.iter().copied().map(Some).collect());
        return Err(EngineError::Shape { index: 0, name, expected: Shape(spec.shape.clone()), found });
    }
    let found = tensor.data.len() as u64;
    let size = spec.datatype.size() as u64;
    let expected = tensor.shape.iter().fold(size, |product, length| product.saturating_mul(*length));
    if found == expected { Ok(()) } else { Err(EngineError::Length { index: 0, name, expected, found }) }
}
