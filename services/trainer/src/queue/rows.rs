//! Jobs in and out of rows.

use gifthorse_api::name::{Identifier, PruningJobName};
use gifthorse_api::v1;
use prost::Message;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

use super::faults::Fault;
use super::job::{Job, State};
use super::{Queue, token::LeaseToken};
use crate::database::{DatabaseError, Work};
use crate::error::TrainerError;

/// All columns, in no order that matters: they are read by name.
pub(super) const JOB: &str = "SELECT * FROM jobs";

/// Reads a row of `jobs`.
pub(super) fn job(row: &AnyRow) -> Result<Job, DatabaseError> {
    let read = |error| DatabaseError::of("read", error);
    let text = |column: &str| row.try_get::<String, _>(column).map_err(read);
    let number = |column: &str| row.try_get::<i64, _>(column).map_err(read);
    let bytes = |column: &str| row.try_get::<Vec<u8>, _>(column).map_err(read);
    let checkpoint = bytes("checkpoint")?;
    let fault = bytes("fault")?;
    let state = number("state")?;
    let state = i32::try_from(state).ok().and_then(|state| State::try_from(state).ok());
    Ok(Job {
        id: identifier(&text("id")?)?,
        model: identifier(&text("model")?)?,
        specification: decode(&bytes("specification")?)?,
        state: state.ok_or_else(|| DatabaseError::Damaged("a job is in no known state".to_owned()))?,
        created: number("created_ms")?,
        started: number("started_ms")?,
        ended: number("ended_ms")?,
        due: number("due_ms")?,
        deadline: number("deadline_ms")?,
        keep: number("keep_ms")?,
        max_retries: number("max_retries")?,
        attempts: number("attempts")?,
        failures: number("failures")?,
        stage: text("stage")?,
        done: number("done")?,
        total: number("total")?,
        result: decode(&bytes("result")?)?,
        fault: if fault.is_empty() { None } else { Some(Fault::of(&decode::<v1::JobFault>(&fault)?)) },
        last_sequence: number("last_sequence")?,
        last_line: number("last_line")?,
        lease: text("lease")?,
        lease_until: number("lease_until_ms")?,
        worker: text("worker")?,
        checkpoint: if checkpoint.is_empty() { None } else { Some(decode(&checkpoint)?) },
        launch: text("launch")?,
        launch_until: number("launch_until_ms")?,
        publish: number("publish")? != 0,
    })
}

pub(super) fn identifier(text: &str) -> Result<Identifier, DatabaseError> {
    text.parse().map_err(|_| DatabaseError::Damaged(format!("{text:?} is no identifier")))
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DatabaseError> {
    M::decode(bytes).map_err(|error| DatabaseError::Damaged(error.to_string()))
}

impl Queue {
    /// The job, its row locked where the transaction writes.
    pub(super) async fn locked(&self, work: &mut Work, id: &Identifier) -> Result<Job, TrainerError> {
        let statement = format!("{JOB} WHERE id = $1{}", self.database.locking());
        self.one(&mut **work, &statement, id.as_str())
            .await?
            .ok_or_else(|| TrainerError::JobNotFound(id.clone()))
    }

    /// The job that this lease is for, its row locked; a lease that has expired is lost, whether or not the
    /// housekeeper has noticed.
    pub(super) async fn leased(&self, work: &mut Work, token: &LeaseToken) -> Result<Job, TrainerError> {
        let job = self.of_lease(work, token).await?;
        let valid = job.is_held() && job.lease_until > self.clock.now();
        if valid { Ok(job) } else { Err(TrainerError::LeaseLost) }
    }

    /// The job that this lease was for, whatever became of it.
    pub(super) async fn of_lease(&self, work: &mut Work, token: &LeaseToken) -> Result<Job, TrainerError> {
        let statement = format!("{JOB} WHERE lease = $1{}", self.database.locking());
        self.one(&mut **work, &statement, &token.digest()).await?.ok_or(TrainerError::LeaseLost)
    }

    pub(super) async fn one<'c, E>(
        &self,
        executor: E,
        statement: &str,
        key: &str,
    ) -> Result<Option<Job>, DatabaseError>
    where
        E: Executor<'c, Database = Any>,
    {
        let found = sqlx::query(statement).bind(key).fetch_optional(executor).await;
        let row = found.map_err(|error| DatabaseError::of("read", error))?;
        row.as_ref().map(job).transpose()
    }

    /// Writes everything of a job that changes after it was made.
    pub(super) async fn save(&self, work: &mut Work, job: &Job) -> Result<(), DatabaseError> {
        const STATEMENT: &str = "UPDATE jobs SET state = $2, started_ms = $3, ended_ms = $4, due_ms = $5, \
            attempts = $6, failures = $7, stage = $8, done = $9, total = $10, result = $11, fault = $12, \
            last_sequence = $13, last_line = $14, lease = $15, lease_until_ms = $16, worker = $17, \
            checkpoint = $18, launch = $19, launch_until_ms = $20, publish = $21 WHERE id = $1";
        let fault = job.fault.as_ref().map(|fault| fault.message().encode_to_vec()).unwrap_or_default();
        let checkpoint = job.checkpoint.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        sqlx::query(STATEMENT)
            .bind(job.id.as_str())
            .bind(i64::from(i32::from(job.state)))
            .bind(job.started)
            .bind(job.ended)
            .bind(job.due)
            .bind(job.attempts)
            .bind(job.failures)
            .bind(job.stage.as_str())
            .bind(job.done)
            .bind(job.total)
            .bind(job.result.encode_to_vec())
            .bind(fault)
            .bind(job.last_sequence)
            .bind(job.last_line)
            .bind(job.lease.as_str())
            .bind(job.lease_until)
            .bind(job.worker.as_str())
            .bind(checkpoint)
            .bind(job.launch.as_str())
            .bind(job.launch_until)
            .bind(i64::from(job.publish))
            .execute(&mut **work)
            .await
            .map(drop)
            .map_err(|error| DatabaseError::of("write", error))
    }
}

/// The identifier in `pruningJobs/ID`.
pub(crate) fn job_id(name: &str) -> Result<Identifier, TrainerError> {
    Ok(name.parse::<PruningJobName>()?.0)
}
