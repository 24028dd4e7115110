//! How jobs and their attempts end.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::repair_gate::Result as Gate;

use super::events::Happening;
use super::faults::{Fault, pause};
use super::job::{Job, State, results_of};
use super::token::LeaseToken;
use super::{Queue, rows};
use crate::database::{DatabaseError, Work, commit};
use crate::error::TrainerError;
use crate::time::millis;

impl Queue {
    /// Ends a job with its result, once. A worker that did not hear the answer and asks again gets the same one.
    pub(crate) async fn complete(
        &self,
        token: &LeaseToken,
        reported: v1::PruningJob,
    ) -> Result<Job, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.of_lease(&mut work, token).await?;
        let result = results_of(reported);
        if job.state == State::Succeeded && job.result == result {
            return Ok(job);
        }
        if job.state != State::Running || job.lease_until <= self.clock.now() {
            return Err(TrainerError::LeaseLost);
        }
        job.state = State::Succeeded;
        job.publish = job.specification.publish && !result.version.is_empty() && gate_holds(&result);
        job.result = result;
        job.fault = None;
        self.close(&mut work, &mut job, "done".to_owned()).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(job)
    }

    /// Ends an attempt with a fault; answers the job, which is queued again where another attempt may go better.
    /// A worker that did not hear the answer and asks again gets the same one.
    pub(crate) async fn fail(&self, token: &LeaseToken, fault: Fault) -> Result<Job, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.of_lease(&mut work, token).await?;
        if !job.is_held() {
            return if job.fault.as_ref() == Some(&fault) { Ok(job) } else { Err(TrainerError::LeaseLost) };
        }
        if job.lease_until <= self.clock.now() {
            return Err(TrainerError::LeaseLost);
        }
        self.fault(&mut work, &mut job, fault).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(job)
    }

    /// What a failed attempt makes of its job: cancelled where that was asked for, queued again where another
    /// attempt may go better, else failed.
    pub(super) async fn fault(
        &self,
        work: &mut Work,
        job: &mut Job,
        fault: Fault,
    ) -> Result<(), TrainerError> {
        job.lease_until = 0;
        job.launch_until = 0;
        if job.state == State::Cancelling {
            job.state = State::Cancelled;
            return self.close(work, job, "cancelled".to_owned()).await;
        }
        let again = fault.may_pass(job.failures) && job.failures < job.max_retries;
        job.failures += 1;
        let said = format!("attempt {} failed: {} [{}]", job.attempts.max(1), fault.message, fault.reason);
        job.fault = Some(fault);
        if !again {
            job.state = State::Failed;
            return self.close(work, job, said).await;
        }
        let pause = pause(&self.settings, job.failures);
        job.state = State::Queued;
        job.due = self.clock.now() + millis(pause);
        let said = format!("{said}; tried again in {:.1} s", pause.as_secs_f64());
        self.happen(work, job, Happening::said(said)).await?;
        Ok(self.save(work, job).await?)
    }

    /// Writes the end of a job. Its last lease is kept, so that a repeated report of the end is known as one.
    pub(super) async fn close(
        &self,
        work: &mut Work,
        job: &mut Job,
        said: String,
    ) -> Result<(), TrainerError> {
        job.ended = self.clock.now();
        job.lease_until = 0;
        job.launch_until = 0;
        self.happen(work, job, Happening::said(said)).await?;
        Ok(self.save(work, job).await?)
    }

    /// Ends jobs whose deadline has passed, whoever holds them, and gives them.
    pub(super) async fn end_late(&self) -> Result<Vec<Job>, TrainerError> {
        let statement = format!(
            "{} WHERE state IN (1, 2) AND deadline_ms > 0 AND deadline_ms <= $1 LIMIT 100{}",
            rows::JOB,
            self.database.skipping()
        );
        let mut work = self.database.begin().await?;
        let found = sqlx::query(&statement).bind(self.clock.now()).fetch_all(&mut *work).await;
        let found = found.map_err(|error| DatabaseError::of("read", error))?;
        let mut ended = Vec::new();
        for row in &found {
            let mut job = rows::job(row)?;
            let message = "the job did not end before its deadline";
            let fault = Fault::new(Kind::Deadline, ErrorCode::DeadlineExceeded, message);
            self.fault(&mut work, &mut job, fault).await?;
            ended.push(job);
        }
        commit(work).await?;
        Ok(ended)
    }
}

/// Whether the gate lets the version answer.
fn gate_holds(result: &v1::PruningJob) -> bool {
    let gate = result.gate.as_ref().map(v1::RepairGate::result);
    matches!(gate, Some(Gate::Repaired | Gate::NoEvidenceLeft))
}
