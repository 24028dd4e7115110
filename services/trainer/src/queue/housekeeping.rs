//! What is done for jobs while nobody asks: lost workers, deadlines, age.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use gifthorse_api::v1::job_fault::Kind;

use super::Queue;
use super::events::Happening;
use super::faults::Fault;
use super::job::Job;
use super::rows::{self, JOB};
use crate::database::{DatabaseError, commit};
use crate::error::TrainerError;
use crate::time::millis;

/// Jobs that are looked at in one transaction.
const AT_ONCE: i64 = 100;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Housekept {
    /// Jobs whose worker was not heard of in time.
    pub(crate) lost: Vec<Job>,
    /// Jobs whose deadline has passed.
    pub(crate) late: Vec<Job>,
    /// Jobs that are removed from the database: their files can go, too.
    pub(crate) removed: Vec<Job>,
}

impl Queue {
    /// Looks once at everything that time does to jobs.
    pub(crate) async fn keep_house(&self) -> Result<Housekept, TrainerError> {
        let housekept = Housekept {
            late: self.end_late().await?,
            lost: self.expire_leases().await?,
            removed: self.remove_old().await?,
        };
        if housekept != Housekept::default() {
            self.changed.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(housekept)
    }

    async fn expire_leases(&self) -> Result<Vec<Job>, TrainerError> {
        let statement = format!(
            "{JOB} WHERE state IN (2, 6) AND lease_until_ms <= $1 LIMIT $2{}",
            self.database.skipping()
        );
        let mut work = self.database.begin().await?;
        let mut lost = self.some(&mut work, &statement).await?;
        for job in &mut lost {
            let seconds = self.settings.lease.as_secs_f64();
            let message = format!("the worker {} was not heard of for {seconds} s", job.worker);
            let fault = Fault::new(Kind::WorkerLost, ErrorCode::WorkerLost, message);
            self.fault(&mut work, job, fault).await?;
        }
        commit(work).await?;
        Ok(lost)
    }

    async fn remove_old(&self) -> Result<Vec<Job>, TrainerError> {
        let statement = format!(
            "{JOB} WHERE state IN (3, 4, 5) AND publish = 0 AND ended_ms + keep_ms <= $1 LIMIT $2{}",
            self.database.skipping()
        );
        let mut work = self.database.begin().await?;
        let old = self.some(&mut work, &statement).await?;
        for job in &old {
            for statement in [
                "DELETE FROM events WHERE job = $1",
                "DELETE FROM log_lines WHERE job = $1",
                "DELETE FROM jobs WHERE id = $1",
            ] {
                let removed = sqlx::query(statement).bind(job.id.as_str()).execute(&mut *work).await;
                removed.map_err(|error| DatabaseError::of("write", error))?;
            }
        }
        commit(work).await?;
        Ok(old)
    }

    async fn some(
        &self,
        work: &mut crate::database::Work,
        statement: &str,
    ) -> Result<Vec<Job>, DatabaseError> {
        let rows = sqlx::query(statement).bind(self.clock.now()).bind(AT_ONCE).fetch_all(&mut **work).await;
        rows.map_err(|error| DatabaseError::of("read", error))?.iter().map(rows::job).collect()
    }

    /// Promotes the version of one job that asks for it: `promote` is called while the job is locked, so that no
    /// other trainer does the same, and the job is done with when it says so. Answers whether there was one.
    pub(crate) async fn publish_next<F>(&self, promote: impl FnOnce(Job) -> F) -> Result<bool, TrainerError>
    where
        F: Future<Output = Result<String, TrainerError>>,
    {
        let statement = format!(
            "{JOB} WHERE publish = 1 AND due_ms <= $1 ORDER BY ended_ms LIMIT $2{}",
            self.database.skipping()
        );
        let mut work = self.database.begin().await?;
        let Some(mut job) = self.some(&mut work, &statement).await?.into_iter().next() else {
            return Ok(false);
        };
        match promote(job.clone()).await {
            Ok(said) => {
                job.publish = false;
                self.happen(&mut work, &mut job, Happening::said(said)).await?;
            }
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "version not promoted yet, trying again");
                job.due = self.clock.now() + millis(self.settings.backoff_limit);
            }
        }
        self.save(&mut work, &job).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(true)
    }
}

impl Queue {
    /// Jobs that are over and whose checkpoint is still kept.
    pub(crate) async fn ended_with_checkpoint(&self) -> Result<Vec<Job>, TrainerError> {
        let statement =
            format!("{JOB} WHERE state IN (3, 4, 5) AND LENGTH(checkpoint) > 0 AND ended_ms <= $1 LIMIT $2");
        let rows = sqlx::query(&statement)
            .bind(self.clock.now())
            .bind(AT_ONCE)
            .fetch_all(self.database.reader())
            .await
            .map_err(|error| DatabaseError::of("read", error))?;
        Ok(rows.iter().map(rows::job).collect::<Result<_, _>>()?)
    }

    /// The checkpoint of a job that is over was removed.
    pub(crate) async fn forget_checkpoint(&self, id: &Identifier) -> Result<(), TrainerError> {
        let statement = "UPDATE jobs SET checkpoint = $2 WHERE id = $1 AND state IN (3, 4, 5)";
        let done = sqlx::query(statement)
            .bind(id.as_str())
            .bind(Vec::<u8>::new())
            .execute(self.database.reader())
            .await;
        done.map_err(|error| DatabaseError::of("write", error))?;
        Ok(())
    }
}
