//! A new job.

use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use prost::Message;
use sqlx::Row;

use super::events::Happening;
use super::job::{Job, State};
use super::rows::JOB;
use super::{Queue, token};
use crate::database::{DatabaseError, Work, commit};
use crate::error::TrainerError;
use crate::time::Millis;

/// What is to be queued.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    /// The model that it is about.
    pub(crate) model: Identifier,
    /// The caller's id of the request; empty for none.
    pub(crate) request_id: String,
    /// Digest of the specification as it was sent.
    pub(crate) payload: String,
    /// The specification with everything resolved.
    pub(crate) specification: v1::PruningSpecification,
    /// How long it may take in all; 0 for no limit.
    pub(crate) within: Millis,
    /// How long it is kept once it has ended.
    pub(crate) keep: Millis,
    /// How often a failed attempt is repeated.
    pub(crate) max_retries: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Created {
    /// It was queued.
    New(Job),
    /// The same request queued it before.
    Earlier(Job),
}

impl Created {
    /// The job.
    pub(crate) fn into_job(self) -> Job {
        match self {
            Self::New(job) | Self::Earlier(job) => job,
        }
    }
}

impl Queue {
    /// The job that this request made before; none when the request is new. The same id with another payload is
    /// refused.
    pub(crate) async fn earlier(&self, request_id: &str, payload: &str) -> Result<Option<Job>, TrainerError> {
        if request_id.is_empty() {
            return Ok(None);
        }
        let statement = format!("{JOB} WHERE request_id = $1");
        let found = sqlx::query(&statement).bind(request_id).fetch_optional(self.database.reader()).await;
        let Some(row) = found.map_err(|error| DatabaseError::of("read", error))? else { return Ok(None) };
        let stored: String = row.try_get("payload").map_err(|error| DatabaseError::of("read", error))?;
        if stored == payload {
            Ok(Some(super::rows::job(&row)?))
        } else {
            Err(TrainerError::RequestIdReused(request_id.to_owned()))
        }
    }

    /// Queues a job, once for each request id.
    pub(crate) async fn create(&self, new: NewJob) -> Result<Created, TrainerError> {
        let mut work = self.database.begin().await?;
        let waiting = sqlx::query("SELECT COUNT(*) AS waiting FROM jobs WHERE state = $1")
            .bind(i64::from(i32::from(State::Queued)))
            .fetch_one(&mut *work)
            .await
            .and_then(|row| row.try_get::<i64, _>("waiting"))
            .map_err(|error| DatabaseError::of("read", error))?;
        match insert(&mut work, &new, self.clock.now()).await {
            Ok(mut job) => {
                if waiting >= self.settings.queued.get() as i64 {
                    return Err(TrainerError::QueueFull(waiting));
                }
                self.happen(&mut work, &mut job, Happening::said("queued")).await?;
                self.save(&mut work, &job).await?;
                commit(work).await?;
                self.announce(&job.id);
                Ok(Created::New(job))
            }
            // Another request with this id was faster.
            Err(TrainerError::Database(error)) if error.is_taken() => {
                drop(work);
                let earlier = self.earlier(&new.request_id, &new.payload).await?;
                earlier.map(Created::Earlier).ok_or(TrainerError::Database(error))
            }
            Err(error) => Err(error),
        }
    }
}

async fn insert(work: &mut Work, new: &NewJob, now: Millis) -> Result<Job, TrainerError> {
    const STATEMENT: &str = "INSERT INTO jobs (id, model, request_id, payload, specification, state, priority, \
        created_ms, started_ms, ended_ms, due_ms, deadline_ms, keep_ms, max_retries, attempts, failures, stage, \
        done, total, result, fault, last_sequence, last_line, lease, lease_until_ms, worker, environment, \
        checkpoint, launch, launch_until_ms, publish) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $8, $9, \
        $10, $11, 0, 0, '', 0, 0, $12, $12, 0, 0, '', 0, '', '', $12, '', 0, 0)";
    let id = format!("job-{}", hex::encode(token::random::<8>()?)).parse::<Identifier>()?;
    let deadline = if new.within == 0 { 0 } else { now.saturating_add(new.within) };
    sqlx::query(STATEMENT)
        .bind(id.as_str())
        .bind(new.model.as_str())
        .bind(new.request_id.as_str())
        .bind(new.payload.as_str())
        .bind(new.specification.encode_to_vec())
        .bind(i64::from(i32::from(State::Queued)))
        .bind(i64::from(new.specification.priority))
        .bind(now)
        .bind(deadline)
        .bind(new.keep)
        .bind(new.max_retries)
        .bind(Vec::<u8>::new())
        .execute(&mut **work)
        .await
        .map_err(|error| DatabaseError::of("write", error))?;
    Ok(Job {
        id,
        model: new.model.clone(),
        specification: new.specification.clone(),
        state: State::Queued,
        created: now,
        started: 0,
        ended: 0,
        due: now,
        deadline,
        keep: new.keep,
        max_retries: new.max_retries,
        attempts: 0,
        failures: 0,
        stage: String::new(),
        done: 0,
        total: 0,
        result: v1::PruningJob::default(),
        fault: None,
        last_sequence: 0,
        last_line: 0,
        lease: String::new(),
        lease_until: 0,
        worker: String::new(),
        checkpoint: None,
        launch: String::new(),
        launch_until: 0,
        publish: false,
    })
}
