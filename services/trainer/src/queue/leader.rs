//! Which of several trainers keeps house.
//!
//! All could: what they do happens in transactions. But a hundred replicas that each look for lost leases every second are
//! ninety-nine too many. The one whose name stands in the table does it, for a term that it prolongs; when it is gone, the
//! next one that asks follows. A file of jobs has one trainer, which leads without being asked.

use std::time::Duration;

use tokio::time::Instant;

use super::Queue;
use super::token::random;
use crate::database::{DatabaseError, Engine};
use crate::error::TrainerError;
use crate::time::millis;

/// The office.
const HOUSEKEEPING: &str = "housekeeping";
/// Rounds that a leader may miss, and the shortest term.
const ROUNDS: u32 = 5;
const SHORTEST: Duration = Duration::from_millis(500);
/// Bytes of a trainer's name.
const NAME: usize = 16;

/// A trainer's claim to lead.
#[derive(Debug)]
pub(crate) struct Leadership {
    name: String,
    /// Until when the office need not be asked for again.
    sure_until: Option<Instant>,
}

impl Leadership {
    /// Of a trainer that has not led yet.
    pub(crate) fn new() -> Result<Self, TrainerError> {
        Ok(Self { name: hex::encode(random::<NAME>()?), sure_until: None })
    }
}

impl Queue {
    /// Whether this trainer is the one that keeps house now.
    pub(crate) async fn leads(&self, leadership: &mut Leadership) -> Result<bool, TrainerError> {
        if self.database.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let asked = Instant::now();
        if leadership.sure_until.is_some_and(|until| asked < until) {
            return Ok(true);
        }
        let term = (self.settings.housekeeping * ROUNDS).max(SHORTEST);
        let now = self.clock.now();
        let statement = "INSERT INTO leaders (office, holder, until_ms) VALUES ($1, $2, $3) \
                         ON CONFLICT (office) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms \
                         WHERE leaders.holder = excluded.holder OR leaders.until_ms < $4";
        let held = sqlx::query(statement)
            .bind(HOUSEKEEPING)
            .bind(&leadership.name)
            .bind(now + millis(term))
            .bind(now)
            .execute(self.database.reader())
            .await
            .map_err(|error| DatabaseError::of("ask for the lead in", error))?;
        let leads = held.rows_affected() == 1;
        if leads != leadership.sure_until.is_some() {
            tracing::info!(leads, "which trainer keeps house has changed");
        }
        leadership.sure_until = leads.then(|| asked + term / 2);
        Ok(leads)
    }
}
