//! Which trainer starts a worker for which job.
//!
//! A trainer that has room claims the next job for a while; nobody else starts a worker for it or gives it to
//! one that asks for any job. The worker then takes the lease by the job's name. A claim that comes to nothing
//! ends by itself.

use std::time::Duration;

use gifthorse_api::name::Identifier;
use sqlx::Row;

use super::Queue;
use super::events::Happening;
use super::faults::Fault;
use super::job::{Job, State};
use super::rows::{self, JOB};
use crate::database::{DatabaseError, Work, commit};
use crate::error::TrainerError;
use crate::time::millis;

/// A job that a worker is to be started for.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// The job.
    pub(crate) job: Job,
    /// The attempt's name, the same however often it is launched.
    pub(crate) name: String,
}

/// An attempt that was launched, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launched {
    /// The job.
    pub(crate) job: Identifier,
    /// What the launcher needs to find it again.
    pub(crate) handle: String,
}

/// Whether jobs that are over are meant, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// They are left out.
    Left,
    /// They are meant.
    Included,
}

/// What a job makes of an attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its worker is to take the lease.
    Awaited,
    /// Its worker has the lease.
    Leased,
    /// Its worker is to end, by force where it does not: the job was cancelled, is over, or belongs to another one.
    Unwanted,
}

impl Queue {
    /// Claims the next job that is due, for so long. `claim` makes of the attempt's name what tells a later
    /// trainer whether the claimant still lives.
    pub(crate) async fn claim_launch(
        &self,
        within: Duration,
        claim: impl FnOnce(&str) -> String,
    ) -> Result<Option<Due>, TrainerError> {
        let mut work = self.database.begin().await?;
        let Some(mut job) = self.next_due(&mut work).await? else { return Ok(None) };
        job.launch_until = self.clock.now() + millis(within);
        let name = job.launch_name();
        job.launch = claim(&name);
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(Some(Due { job, name }))
    }

    /// Notes how the launcher finds the attempt of this name again, unless the job has gone on without it.
    pub(crate) async fn launched(
        &self,
        id: &Identifier,
        name: &str,
        handle: &str,
    ) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        let waits = job.state == State::Queued && job.launch_name() == name;
        let runs = job.is_held() && job.attempt_name() == name;
        if !waits && !runs {
            return Ok(());
        }
        handle.clone_into(&mut job.launch);
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(())
    }

    /// An attempt has ended without saying how: its job is faulted, unless it is in other hands or over by now.
    pub(crate) async fn attempt_ended(
        &self,
        id: &Identifier,
        handle: &str,
        fault: Fault,
    ) -> Result<Option<Job>, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = match self.locked(&mut work, id).await {
            Err(TrainerError::JobNotFound(_)) => return Ok(None),
            found => found?,
        };
        if job.is_over() && job.launch == handle {
            return self.forget(work, job).await;
        }
        let waits_for_it = job.awaits(handle);
        if job.launch != handle || !(job.is_held() || waits_for_it) {
            return Ok(None);
        }
        job.launch.clear();
        if waits_for_it {
            // It ended before its lease and counts all the same: the next attempt has a name of its own.
            job.attempts += 1;
        }
        self.fault(&mut work, &mut job, fault).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(Some(job))
    }

    /// The attempt of a job that is over left nothing behind: it is not looked for again.
    pub(crate) async fn forget_launch(&self, id: &Identifier, handle: &str) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        match self.locked(&mut work, id).await {
            Err(TrainerError::JobNotFound(_)) => Ok(()),
            Ok(job) if job.is_over() && job.launch == handle => self.forget(work, job).await.map(drop),
            found => found.map(drop),
        }
    }

    async fn forget(&self, mut work: Work, mut job: Job) -> Result<Option<Job>, TrainerError> {
        job.launch.clear();
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(None)
    }

    /// The worker of a claimed job is being looked after and has no lease yet: nobody else starts one for so long
    /// from now, whatever it waits for. What keeps it from starting is shown as the job's fault.
    pub(crate) async fn awaited(
        &self,
        id: &Identifier,
        handle: &str,
        within: Duration,
        waits: Option<Fault>,
    ) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        if !job.awaits(handle) {
            return Ok(());
        }
        job.launch_until = self.clock.now() + millis(within);
        self.show_waiting(&mut work, &mut job, waits).await?;
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(())
    }

    /// A worker cannot be started for a claimed job just now, which is nobody's failure: the job is claimed again
    /// after a pause.
    pub(crate) async fn postponed(&self, id: &Identifier, waits: Fault) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        if job.state != State::Queued {
            return Ok(());
        }
        job.launch.clear();
        job.launch_until = 0;
        job.due = self.clock.now() + millis(self.settings.backoff);
        self.show_waiting(&mut work, &mut job, Some(waits)).await?;
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(())
    }

    /// Tells once what a worker waits for; the caller saves the job.
    async fn show_waiting(
        &self,
        work: &mut Work,
        job: &mut Job,
        waits: Option<Fault>,
    ) -> Result<(), TrainerError> {
        match waits {
            Some(fault) if job.fault.as_ref() != Some(&fault) => {
                let said = format!("its worker waits: {}", fault.message);
                job.fault = Some(fault);
                self.happen(work, job, Happening::said(said)).await?;
                self.announce(&job.id);
            }
            Some(_) => {}
            None => {
                job.fault.take_if(|fault| fault.is_waiting());
            }
        }
        Ok(())
    }

    /// A worker could not be started for a claimed job.
    pub(crate) async fn not_launched(&self, id: &Identifier, fault: Fault) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        if job.state != State::Queued {
            return Ok(());
        }
        job.attempts += 1;
        self.fault(&mut work, &mut job, fault).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(())
    }

    /// Puts the job of an attempt that was ended from outside back, without counting a failure.
    pub(crate) async fn hand_back(&self, id: &Identifier, handle: &str) -> Result<bool, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        if job.launch != handle || job.is_over() {
            return Ok(false);
        }
        job.launch.clear();
        job.launch_until = 0;
        match job.state {
            State::Cancelling => {
                job.state = State::Cancelled;
                self.close(&mut work, &mut job, "cancelled".to_owned()).await?;
            }
            State::Running => {
                job.state = State::Queued;
                job.lease_until = 0;
                job.due = self.clock.now();
                let said = Happening::said("handed back: the trainer stops");
                self.happen(&mut work, &mut job, said).await?;
                self.save(&mut work, &job).await?;
            }
            _ => self.save(&mut work, &job).await?,
        }
        commit(work).await?;
        self.announce(id);
        Ok(true)
    }

    /// Whether a job could be claimed now; asks without holding anybody up.
    pub(crate) async fn is_any_due(&self) -> Result<bool, TrainerError> {
        let statement = "SELECT id FROM jobs WHERE state = $1 AND due_ms <= $2 AND launch_until_ms <= $2 \
                         AND (deadline_ms = 0 OR deadline_ms > $2) LIMIT 1";
        let found = sqlx::query(statement)
            .bind(i64::from(i32::from(State::Queued)))
            .bind(self.clock.now())
            .fetch_optional(self.database.reader())
            .await;
        Ok(found.map_err(|error| DatabaseError::of("read", error))?.is_some())
    }

    /// The attempts that were launched and may still run; with `ended` also those of jobs that are over, whose
    /// workers may not know it.
    pub(crate) async fn launches(&self, ended: Ended) -> Result<Vec<Launched>, TrainerError> {
        let failed = |error| DatabaseError::of("read", error);
        let statement = match ended {
            Ended::Left => "SELECT id, launch FROM jobs WHERE launch <> '' AND state IN ($1, $2, $3)",
            Ended::Included => {
                "SELECT id, launch FROM jobs WHERE launch <> '' AND state IN ($1, $2, $3, 3, 4, 5)"
            }
        };
        let rows = sqlx::query(statement)
            .bind(i64::from(i32::from(State::Queued)))
            .bind(i64::from(i32::from(State::Running)))
            .bind(i64::from(i32::from(State::Cancelling)))
            .fetch_all(self.database.reader())
            .await
            .map_err(failed)?;
        let launched = rows.iter().map(|row| {
            let id: String = row.try_get("id").map_err(failed)?;
            Ok(Launched { job: rows::identifier(&id)?, handle: row.try_get("launch").map_err(failed)? })
        });
        Ok(launched.collect::<Result<_, DatabaseError>>()?)
    }

    /// What the job makes of its attempt of this handle.
    pub(crate) async fn standing(&self, id: &Identifier, handle: &str) -> Result<Standing, TrainerError> {
        let statement = format!("{JOB} WHERE id = $1");
        let job = self.one(self.database.reader(), &statement, id.as_str()).await?;
        Ok(match job {
            Some(job) if job.awaits(handle) => Standing::Awaited,
            Some(job) if job.state == State::Running && job.launch == handle => Standing::Leased,
            _ => Standing::Unwanted,
        })
    }
}
