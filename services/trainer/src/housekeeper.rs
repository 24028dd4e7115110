//! What is done for jobs, their files and their versions while nobody asks.

use std::convert::Infallible;
use std::time::Duration;

use gifthorse_api::name::Identifier;
use gifthorse_store::{Checkpoints, JobReports, PageRequest, Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::TrainerError;
use crate::publisher;
use crate::queue::{Leadership, Queue};

/// How often files are looked for that belong to no job.
const SWEEP: Duration = Duration::from_hours(1);

/// Keeps house for the trainers of one database, while it is this one's turn.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    queue: Queue,
    store: Store,
    checkpoints: Checkpoints,
    reports: JobReports,
    leadership: Leadership,
}

impl Housekeeper {
    /// For the jobs of this queue, whose files are in this store.
    pub(crate) fn new(queue: Queue, store: Store) -> Result<Self, TrainerError> {
        let (checkpoints, reports) = (store.artefacts(), store.artefacts());
        Ok(Self { queue, store, checkpoints, reports, leadership: Leadership::new()? })
    }

    /// Works until it is stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(self.queue.settings().housekeeping);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut swept: Option<Instant> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            match self.queue.leads(&mut self.leadership).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%error, "house not kept, trying again");
                    continue;
                }
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "house not kept, trying again");
            }
            if swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
                swept = Some(Instant::now());
                if let Err(error) = self.sweep().await {
                    tracing::warn!(%error, "checkpoints not swept, trying again later");
                }
            }
        }
    }

    async fn look(&self) -> Result<(), TrainerError> {
        let housekept = self.queue.keep_house().await?;
        for job in &housekept.lost {
            tracing::warn!(job = %job.id, worker = %job.worker, "worker lost");
        }
        for job in &housekept.late {
            tracing::info!(job = %job.id, "deadline passed");
        }
        for job in &housekept.removed {
            tracing::info!(job = %job.id, "job removed, its time is over");
            match self.reports.delete(&job.id).await {
                Ok(()) | Err(StoreError::ArtefactNotFound { .. }) => {}
                Err(error) => tracing::warn!(job = %job.id, %error, "report not removed"),
            }
        }
        for job in self.queue.ended_with_checkpoint().await? {
            if let Some(checkpoint) = &job.checkpoint {
                remove_checkpoint(&self.checkpoints, &job.id, checkpoint).await;
            }
            self.queue.forget_checkpoint(&job.id).await?;
        }
        while self
            .queue
            .publish_next(|job| async move { publisher::promote(&self.store, &job).await })
            .await?
        {}
        Ok(())
    }

    /// Removes checkpoints of jobs that are over or unknown: a worker that was killed between storing one and
    /// saying so leaves it behind.
    async fn sweep(&self) -> Result<(), TrainerError> {
        let mut token = String::new();
        loop {
            let page = self.checkpoints.list(&PageRequest::new(0, token)?).await?;
            for record in page.items {
                let over = match self.queue.get(&record.contents.job).await {
                    Ok(job) => job.is_over(),
                    Err(TrainerError::JobNotFound(_)) => true,
                    Err(error) => return Err(error),
                };
                if over {
                    self.checkpoints.delete(&record.name).await?;
                }
            }
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        self.checkpoints.sweep().await?;
        self.reports.sweep().await?;
        Ok(())
    }
}

/// Removes a checkpoint that nobody will go on from. What stays behind is swept later.
pub(crate) async fn remove_checkpoint(
    checkpoints: &Checkpoints,
    job: &Identifier,
    checkpoint: &gifthorse_api::v1::Checkpoint,
) {
    let Some(name) = crate::files::checkpoint_name(job, checkpoint) else { return };
    match checkpoints.delete(&name).await {
        Ok(()) | Err(StoreError::ArtefactNotFound { .. }) => {}
        Err(error) => tracing::warn!(%job, %error, "checkpoint not removed"),
    }
}
