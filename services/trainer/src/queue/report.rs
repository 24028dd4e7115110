//! What workers tell while they work.

use gifthorse_api::v1;

use super::Queue;
use super::events::Happening;
use super::token::LeaseToken;
use crate::database::commit;
use crate::error::TrainerError;

impl Queue {
    /// Takes what a worker did, in order, and gives the number of the last event.
    pub(crate) async fn take_report(
        &self,
        token: &LeaseToken,
        events: Vec<v1::WatchPruningJobResponse>,
        lines: &[String],
    ) -> Result<i64, TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.leased(&mut work, token).await?;
        for event in events {
            if let Some(progress) = &event.progress {
                job.stage = progress.stage.chars().take(64).collect();
                job.done = progress.done.max(0);
                job.total = progress.total.max(0);
            }
            self.happen(&mut work, &mut job, Happening::reported(event)).await?;
        }
        if !lines.is_empty() {
            self.write_lines(&mut work, &mut job, lines).await?;
        }
        self.save(&mut work, &job).await?;
        commit(work).await?;
        self.announce(&job.id);
        Ok(job.last_sequence)
    }
}
