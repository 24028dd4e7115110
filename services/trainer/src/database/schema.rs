//! The tables, and how they come about. A step that was released is never changed: another one follows it.

use sqlx::Row;

use super::{Database, DatabaseError, Engine, commit};

/// Held by the program that changes the tables of a PostgreSQL database.
const LOCK: i64 = 0x6769_6674_686f_7273;

/// The steps in their order, statements separated by semicolons; `BYTES` stands for the type of bytes. Nothing
/// is ever NULL: absent texts are empty, absent times 0.
const STEPS: &[&str] = &[
    "
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    specification BYTES NOT NULL,
    state BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    started_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    keep_ms BIGINT NOT NULL,
    max_retries BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    stage TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    result BYTES NOT NULL,
    fault BYTES NOT NULL,
    last_sequence BIGINT NOT NULL,
    last_line BIGINT NOT NULL,
    lease TEXT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    worker TEXT NOT NULL,
    environment TEXT NOT NULL,
    checkpoint BYTES NOT NULL,
    launch TEXT NOT NULL,
    launch_until_ms BIGINT NOT NULL,
    publish BIGINT NOT NULL
);
CREATE UNIQUE INDEX jobs_request ON jobs (request_id) WHERE request_id <> '';
CREATE INDEX jobs_queue ON jobs (state, priority DESC, created_ms, id);
CREATE INDEX jobs_newest ON jobs (created_ms DESC, id DESC);
CREATE INDEX jobs_lease ON jobs (lease) WHERE lease <> '';
CREATE TABLE events (
    job TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event BYTES NOT NULL,
    PRIMARY KEY (job, sequence)
);
CREATE TABLE log_lines (
    job TEXT NOT NULL,
    number BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (job, number)
)",
    "
CREATE TABLE leaders (
    office TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until_ms BIGINT NOT NULL
)",
];

/// Makes the steps that are missing, in one transaction: whoever comes second finds them done.
pub(super) async fn bring_up_to_date(database: &Database) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::of("make the tables of", error);
    let mut work = database.begin().await?;
    if database.engine() == Engine::Postgres {
        sqlx::query(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .execute(&mut *work)
            .await
            .map_err(failed)?;
    }
    let numbers = "CREATE TABLE IF NOT EXISTS schema_steps (number BIGINT NOT NULL PRIMARY KEY)";
    sqlx::query(numbers).execute(&mut *work).await.map_err(failed)?;
    let newest = sqlx::query("SELECT COALESCE(MAX(number), 0) AS newest FROM schema_steps")
        .fetch_one(&mut *work)
        .await
        .and_then(|row| row.try_get::<i64, _>("newest"))
        .map_err(failed)?;
    let known = STEPS.len() as i64;
    if newest > known {
        return Err(DatabaseError::Newer { found: newest, known });
    }
    for (step, number) in STEPS.iter().zip(1_i64..).skip(usize::try_from(newest).unwrap_or_default()) {
        for statement in step.replace("BYTES", database.engine().bytes()).split(';') {
            sqlx::query(statement).execute(&mut *work).await.map_err(failed)?;
        }
        sqlx::query("INSERT INTO schema_steps (number) VALUES ($1)")
            .bind(number)
            .execute(&mut *work)
            .await
            .map_err(failed)?;
    }
    commit(work).await
}
