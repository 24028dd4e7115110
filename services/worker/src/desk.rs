//! Where the engine's thread tells what it did; the other side sends it to the trainer.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use gifthorse_api::v1;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Advance, Cancelled, EngineFault, Extent, Stage};

/// How often progress is told that brings nothing else.
const TICK: Duration = Duration::from_millis(250);

/// Something for the trainer.
#[derive(Debug)]
pub(crate) enum Note {
    /// An event, with its lines of the log.
    Event(Box<v1::WatchPruningJobResponse>, Vec<String>),
    /// A checkpoint that lies in a folder; the engine waits until it is recorded.
    Checkpoint {
        stage: Stage,
        done: u64,
        folder: PathBuf,
        recorded: oneshot::Sender<Result<(), EngineFault>>,
    },
}

/// The engine's side.
#[derive(Debug)]
pub(crate) struct Desk {
    notes: mpsc::Sender<Note>,
    cancelled: Cancelled,
    scratch: PathBuf,
    stage: Stage,
    extent: Extent,
    /// Where the rate is counted from.
    since: (Instant, u64),
    told: Option<Instant>,
    saves: u64,
}

impl Desk {
    /// A desk whose notes go to `notes`; checkpoints are made in folders within `scratch`.
    pub(crate) fn new(notes: mpsc::Sender<Note>, cancelled: Cancelled, scratch: PathBuf) -> Self {
        let extent = Extent { done: 0, total: 0, unit: "" };
        let since = (Instant::now(), 0);
        Self { notes, cancelled, scratch, stage: Stage::Load, extent, since, told: None, saves: 0 }
    }

    pub(crate) const fn cancelled(&self) -> &Cancelled {
        &self.cancelled
    }

    /// A stage begins.
    pub(crate) fn enter(&mut self, stage: Stage, extent: Extent) -> Result<(), EngineFault> {
        (self.stage, self.extent) = (stage, extent);
        self.since = (Instant::now(), extent.done);
        self.told = Some(Instant::now());
        self.event(v1::WatchPruningJobResponse::default(), Vec::new())
    }

    /// Some units more are done.
    pub(crate) fn advance(&mut self, advance: Advance) -> Result<(), EngineFault> {
        self.extent.done = advance.done.min(self.extent.total);
        let says = advance.message.is_some() || !advance.metrics.is_empty() || !advance.log.is_empty();
        let due = self.told.is_none_or(|told| told.elapsed() >= TICK);
        if !says && !due && self.extent.done < self.extent.total {
            return Ok(());
        }
        self.told = Some(Instant::now());
        let event = v1::WatchPruningJobResponse {
            metrics: advance.metrics.into_iter().collect(),
            message: advance.message.unwrap_or_default(),
            ..Default::default()
        };
        self.event(event, advance.log)
    }

    /// A line for the log.
    pub(crate) fn log(&self, line: String) -> Result<(), EngineFault> {
        self.event(v1::WatchPruningJobResponse { message: line.clone(), ..Default::default() }, vec![line])
    }

    /// Has the engine write a checkpoint and waits until a successor could go on from it.
    pub(crate) fn checkpoint(
        &mut self,
        stage: Stage,
        done: u64,
        save: impl FnOnce(&Path) -> Result<(), EngineFault>,
    ) -> Result<(), EngineFault> {
        self.saves += 1;
        let folder = self.scratch.join(format!("checkpoint-{}", self.saves));
        let failed = |action: &str, error: std::io::Error| EngineFault::file(action, &folder, &error);
        std::fs::create_dir(&folder).map_err(|error| failed("make", error))?;
        save(&folder)?;
        let (recorded, waiting) = oneshot::channel();
        self.send(Note::Checkpoint { stage, done, folder: folder.clone(), recorded })?;
        waiting.blocking_recv().map_err(|_| EngineFault::Cancelled)??;
        std::fs::remove_dir_all(&folder).map_err(|error| failed("remove", error))
    }

    fn event(&self, event: v1::WatchPruningJobResponse, log: Vec<String>) -> Result<(), EngineFault> {
        let progress = Some(self.progress());
        let time = Some(SystemTime::now().into());
        let event = v1::WatchPruningJobResponse { progress, time, ..event };
        self.send(Note::Event(Box::new(event), log))
    }

    /// The other side is gone only when the attempt is over: the lease is lost, say.
    fn send(&self, note: Note) -> Result<(), EngineFault> {
        self.notes.blocking_send(note).map_err(|_| EngineFault::Cancelled)
    }

    fn progress(&self) -> v1::Progress {
        let Extent { done, total, unit } = self.extent;
        let (since, from) = self.since;
        let seconds = since.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { done.saturating_sub(from) as f64 / seconds } else { 0.0 };
        let left = total.saturating_sub(done) as f64;
        v1::Progress {
            stage: self.stage.name().to_owned(),
            done: done as i64,
            total: total as i64,
            unit: unit.to_owned(),
            rate,
            seconds_left: if rate > 0.0 { left / rate } else { 0.0 },
        }
    }
}
