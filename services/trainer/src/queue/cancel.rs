//! Stopping jobs.

use gifthorse_api::name::Identifier;

use super::Queue;
use super::events::Happening;
use super::job::{Job, State, state_name};
use crate::database::commit;
use crate::error::TrainerError;

impl Queue {
    /// Stops a job: at once while it waits, through its worker while it runs. Asked for again it answers the
    /// same.
    pub(crate) async fn cancel(&self, id: &Identifier) -> Result<Job, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        match job.state {
            State::Queued | State::Unspecified => {
                job.state = State::Cancelled;
                self.close(&mut work, &mut job, "cancelled".to_owned()).await?;
            }
            State::Running => {
                job.state = State::Cancelling;
                let said = Happening::said("to be cancelled: its worker is told");
                self.happen(&mut work, &mut job, said).await?;
                self.save(&mut work, &job).await?;
            }
            State::Cancelling | State::Cancelled => return Ok(job),
            State::Succeeded | State::Failed => {
                return Err(TrainerError::JobEnded { job: job.id, state: state_name(job.state) });
            }
        }
        commit(work).await?;
        self.announce(&job.id);
        Ok(job)
    }
}
