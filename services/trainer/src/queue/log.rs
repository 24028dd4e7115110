//! The end of every job's log.

use gifthorse_api::name::Identifier;
use sqlx::Row;

use super::Queue;
use super::job::Job;
use crate::database::{DatabaseError, Work, commit};
use crate::error::TrainerError;

/// The longest line that is kept, in characters.
const LINE: usize = 2000;

/// The last lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTail {
    /// Oldest first.
    pub(crate) lines: Vec<String>,
    /// Whether there were earlier ones.
    pub(crate) truncated: bool,
}

impl Queue {
    /// Adds lines to a job's log, in the transaction that changes it; the caller saves the job.
    pub(super) async fn write_lines(
        &self,
        work: &mut Work,
        job: &mut Job,
        lines: &[String],
    ) -> Result<(), TrainerError> {
        let failed = |error| DatabaseError::of("write", error);
        let kept = self.settings.log_lines.get();
        let dropped = lines.len().saturating_sub(kept);
        job.last_line += dropped as i64;
        for line in lines.iter().skip(dropped) {
            job.last_line += 1;
            // PostgreSQL keeps no zero bytes in texts, and nobody reads control characters.
            let readable = |letter: &char| !letter.is_control() || *letter == '\t';
            let text: String = line.chars().filter(readable).take(LINE).collect();
            sqlx::query("INSERT INTO log_lines (job, number, line) VALUES ($1, $2, $3)")
                .bind(job.id.as_str())
                .bind(job.last_line)
                .bind(text)
                .execute(&mut **work)
                .await
                .map_err(failed)?;
        }
        sqlx::query("DELETE FROM log_lines WHERE job = $1 AND number <= $2")
            .bind(job.id.as_str())
            .bind(job.last_line - kept as i64)
            .execute(&mut **work)
            .await
            .map(drop)
            .map_err(failed)?;
        Ok(())
    }

    /// Adds lines to the log of a job that others may be changing: what its worker's process said.
    pub(crate) async fn log(&self, id: &Identifier, lines: &[String]) -> Result<(), TrainerError> {
        let mut work = self.database.begin().await?;
        let mut job = self.locked(&mut work, id).await?;
        self.write_lines(&mut work, &mut job, lines).await?;
        self.save(&mut work, &job).await?;
        commit(work).await?;
        Ok(())
    }

    /// The last lines of a job's log.
    pub(crate) async fn log_tail(&self, id: &Identifier, lines: usize) -> Result<LogTail, TrainerError> {
        let failed = |error| DatabaseError::of("read", error);
        let job = self.get(id).await?;
        let statement = "SELECT line FROM log_lines WHERE job = $1 ORDER BY number DESC LIMIT $2";
        let rows = sqlx::query(statement)
            .bind(id.as_str())
            .bind(i64::try_from(lines).unwrap_or(i64::MAX))
            .fetch_all(self.database.reader())
            .await
            .map_err(failed)?;
        let read = rows.iter().rev().map(|row| row.try_get::<String, _>("line").map_err(failed));
        let lines = read.collect::<Result<Vec<_>, DatabaseError>>()?;
        Ok(LogTail { truncated: job.last_line > lines.len() as i64, lines })
    }
}
