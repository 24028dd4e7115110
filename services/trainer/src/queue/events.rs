//! What happened to a job, in order.

use std::time::Duration;

use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use prost::Message;
use sqlx::Row;
use tokio::sync::watch;

use super::Queue;
use super::job::{Job, is_over};
use super::rows::decode;
use crate::database::{DatabaseError, Work};
use crate::error::TrainerError;
use crate::time::{Millis, timestamp};

/// Events that are read at once.
const PAGE: i64 = 256;
/// Old events are removed once in so many.
const TIDY: i64 = 64;
/// How often one looks for what another trainer did.
const LOOK: Duration = Duration::from_millis(500);
/// The longest message of an event that is kept, in characters.
const MESSAGE: usize = 2000;

/// Something that happened; number and state are added as it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Happening {
    /// When, where somebody else saw it.
    pub(super) time: Option<Millis>,
    pub(super) progress: Option<v1::Progress>,
    pub(super) metrics: std::collections::HashMap<String, f64>,
    pub(super) message: String,
}

impl Happening {
    /// Something that is told in words.
    pub(super) fn said(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// What a worker reports; its own number and state do not count.
    pub(super) fn reported(event: v1::WatchPruningJobResponse) -> Self {
        let time = event.time.map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000);
        let message = event.message.chars().take(MESSAGE).collect();
        Self { time, progress: event.progress, metrics: event.metrics, message }
    }
}

impl Queue {
    /// Adds an event to the job, in the transaction that changes it; the caller saves the job.
    pub(super) async fn happen(
        &self,
        work: &mut Work,
        job: &mut Job,
        happening: Happening,
    ) -> Result<(), TrainerError> {
        job.last_sequence += 1;
        let event = v1::WatchPruningJobResponse {
            sequence: job.last_sequence,
            time: timestamp(happening.time.unwrap_or_else(|| self.clock.now())),
            state: job.state.into(),
            progress: happening.progress,
            metrics: happening.metrics,
            message: happening.message,
        };
        let failed = |error| DatabaseError::of("write", error);
        sqlx::query("INSERT INTO events (job, sequence, event) VALUES ($1, $2, $3)")
            .bind(job.id.as_str())
            .bind(job.last_sequence)
            .bind(event.encode_to_vec())
            .execute(&mut **work)
            .await
            .map_err(failed)?;
        if job.last_sequence % TIDY == 0 {
            sqlx::query("DELETE FROM events WHERE job = $1 AND sequence <= $2")
                .bind(job.id.as_str())
                .bind(job.last_sequence - self.settings.events.get() as i64)
                .execute(&mut **work)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn events_after(
        &self,
        id: &Identifier,
        after: i64,
    ) -> Result<Vec<v1::WatchPruningJobResponse>, TrainerError> {
        let failed = |error| DatabaseError::of("read", error);
        let statement =
            "SELECT event FROM events WHERE job = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
        let rows = sqlx::query(statement)
            .bind(id.as_str())
            .bind(after)
            .bind(PAGE)
            .fetch_all(self.database.reader())
            .await
            .map_err(failed)?;
        let events = rows.iter().map(|row| {
            let bytes: Vec<u8> = row.try_get("event").map_err(failed)?;
            decode(&bytes)
        });
        Ok(events.collect::<Result<_, DatabaseError>>()?)
    }

    /// Follows a job from the event after this one.
    pub(crate) async fn follow(&self, id: &Identifier, after: i64) -> Result<Follower, TrainerError> {
        let changes = self.changes();
        self.get(id).await?;
        Ok(Follower { queue: self.clone(), id: id.clone(), after, changes })
    }
}

/// Gives the events of a job, page by page, until it is over.
#[derive(Debug)]
pub(crate) struct Follower {
    queue: Queue,
    id: Identifier,
    after: i64,
    changes: watch::Receiver<u64>,
}

impl Follower {
    /// The next events, waited for; none when the job is over and all were given.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<v1::WatchPruningJobResponse>>, TrainerError> {
        loop {
            self.changes.mark_unchanged();
            // The job first: what is written after this look has an event that the next look finds.
            let job = match self.queue.get(&self.id).await {
                Ok(job) => job,
                // Its time to be kept is over while somebody still watches.
                Err(TrainerError::JobNotFound(_)) => return Ok(None),
                Err(error) => return Err(error),
            };
            let events = self.queue.events_after(&self.id, self.after).await?;
            if let Some(last) = events.last() {
                self.after = last.sequence;
                return Ok(Some(events));
            }
            if is_over(job.state) {
                return Ok(None);
            }
            // An error says that the queue is gone, and with it this trainer.
            let _ = tokio::time::timeout(LOOK, self.changes.changed()).await;
        }
    }
}
