//! Jobs in the hands of workers.

use std::collections::HashMap;

use gifthorse_api::name::Identifier;
use gifthorse_api::v1;

use super::events::Happening;
use super::job::{Job, State, state_name};
use super::rows::JOB;
use super::token::LeaseToken;
use super::{Queue, rows};
use crate::database::{DatabaseError, Work, commit};
use crate::error::TrainerError;
use crate::time::{Millis, millis};

/// A worker that asks for work.
#[derive(Debug, Clone)]
pub(crate) struct WorkerRequest {
    /// Its own name.
    pub(crate) worker: String,
    /// The job it was started for; none for the next one.
    pub(crate) job: Option<Identifier>,
    /// What it runs on.
    pub(crate) environment: HashMap<String, String>,
}

/// A job that a worker has got.
#[derive(Debug, Clone)]
pub(crate) struct Leased {
    /// The job, with where to go on from.
    pub(crate) job: Job,
    /// What the worker proves it with.
    pub(crate) token: LeaseToken,
}

/// A lease that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Renewed {
    /// Until when.
    pub(crate) until: Millis,
    /// Whether the job is to be stopped.
    pub(crate) cancel: bool,
}

impl Queue {
    /// Gives a worker the job it asks for, or the next one that is due and that nobody is being started for.
    pub(crate) async fn acquire(&self, request: &WorkerRequest) -> Result<Option<Leased>, TrainerError> {
        let mut work = self.database.begin().await?;
        let now = self.clock.now();
        let found = match &request.job {
            Some(id) => Some(self.locked(&mut work, id).await?),
            None => self.next(&mut work, now).await?,
        };
        let Some(mut job) = found else { return Ok(None) };
        if job.state != State::Queued {
            return Err(TrainerError::NotQueued { job: job.id, state: state_name(job.state) });
        }
        let token = LeaseToken::random()?;
        job.state = State::Running;
        job.attempts += 1;
        if job.started == 0 {
            job.started = now;
        }
        job.fault.take_if(|fault| fault.is_waiting());
        job.lease = token.digest();
        job.lease_until = now + millis(self.settings.lease);
        job.worker = request.worker.chars().take(200).collect();
        let from = match &job.checkpoint {
            Some(checkpoint) => format!(", going on in {} at {}", checkpoint.stage, checkpoint.done),
            None => String::new(),
        };
        let said = format!("attempt {} begins on {}{from}", job.attempts, job.worker);
        self.happen(&mut work, &mut job, Happening::said(said)).await?;
        self.save(&mut work, &job).await?;
        note_environment(&mut work, &job.id, &request.environment).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(Some(Leased { job, token }))
    }

    /// The job that is to run next, its row locked: the highest priority, then the oldest.
    async fn next(&self, work: &mut Work, now: Millis) -> Result<Option<Job>, DatabaseError> {
        let statement = format!(
            "{JOB} WHERE state = $1 AND due_ms <= $2 AND launch_until_ms <= $2 AND (deadline_ms = 0 OR deadline_ms > $2) \
             ORDER BY priority DESC, created_ms, id LIMIT 1{}",
            self.database.skipping()
        );
        let found = sqlx::query(&statement)
            .bind(i64::from(i32::from(State::Queued)))
            .bind(now)
            .fetch_optional(&mut **work)
            .await;
        let row = found.map_err(|error| DatabaseError::of("read", error))?;
        row.as_ref().map(rows::job).transpose()
    }

    /// [`Self::next`] for those who start workers.
    pub(super) async fn next_due(&self, work: &mut Work) -> Result<Option<Job>, DatabaseError> {
        self.next(work, self.clock.now()).await
    }

    /// Lets a lease go on, and tells whether its job is to be stopped.
    pub(crate) async fn renew(&self, token: &LeaseToken) -> Result<Renewed, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.leased(&mut work, token).await?;
        job.lease_until = self.clock.now() + millis(self.settings.lease);
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(Renewed { until: job.lease_until, cancel: job.state == State::Cancelling })
    }

    /// Records where a successor can go on, and gives the checkpoint that it replaces.
    pub(crate) async fn record_checkpoint(
        &self,
        token: &LeaseToken,
        checkpoint: v1::Checkpoint,
    ) -> Result<(Identifier, Option<v1::Checkpoint>), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.leased(&mut work, token).await?;
        job.stage.clone_from(&checkpoint.stage);
        let replaced = job.checkpoint.replace(checkpoint);
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok((job.id, replaced))
    }

    /// Makes leases that are known to live last a whole term from now: those who could not be heard while no
    /// trainer ran are given the time to speak.
    pub(crate) async fn prolong_leases(&self) -> Result<u64, TrainerError> {
        let until = self.clock.now() + millis(self.settings.lease);
        let statement = "UPDATE jobs SET lease_until_ms = $1 WHERE state IN ($2, $3) AND lease_until_ms < $1";
        let prolonged = sqlx::query(statement)
            .bind(until)
            .bind(i64::from(i32::from(State::Running)))
            .bind(i64::from(i32::from(State::Cancelling)))
            .execute(self.database.reader())
            .await;
        Ok(prolonged.map_err(|error| DatabaseError::of("write", error))?.rows_affected())
    }
}

async fn note_environment(
    work: &mut Work,
    id: &Identifier,
    environment: &HashMap<String, String>,
) -> Result<(), TrainerError> {
    let sorted: std::collections::BTreeMap<_, _> = environment.iter().take(64).collect();
    let text = serde_json::to_string(&sorted).map_err(|_| TrainerError::Internal("writing JSON"))?;
    sqlx::query("UPDATE jobs SET environment = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(text)
        .execute(&mut **work)
        .await
        .map(drop)
        .map_err(|error| TrainerError::from(DatabaseError::of("write", error)))
}
