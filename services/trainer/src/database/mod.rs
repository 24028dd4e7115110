//! The database of the jobs: a SQLite file for one trainer, PostgreSQL for several.
//!
//! The same statements run on both. What several trainers could race for happens in a transaction that begins
//! with [`Database::begin`]: on SQLite it holds the file's write lock from its first moment, on PostgreSQL it
//! locks the rows it is about.

mod error;
mod schema;
mod url;

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Executor, Transaction};

pub(crate) use error::DatabaseError;
pub(crate) use url::{DatabaseUrl, Engine};

use crate::configuration::DatabaseConfiguration;

/// How often a transaction is begun anew when the database is locked or its connection lost.
const ATTEMPTS: u32 = 3;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_millis(50);

/// A transaction on either database; it is rolled back when it is dropped.
pub(crate) type Work = Transaction<'static, Any>;

/// An open database whose tables are up to date. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: AnyPool,
    engine: Engine,
}

impl Database {
    /// Opens the database and brings its tables up to date; several programs may do so at once.
    pub(crate) async fn open(
        url: &DatabaseUrl,
        configuration: &DatabaseConfiguration,
    ) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        let engine = url.engine();
        let patience = configuration.patience;
        let options = AnyPoolOptions::new()
            .max_connections(u32::try_from(configuration.connections.get()).unwrap_or(u32::MAX))
            .acquire_timeout(patience)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in engine.session(patience) {
                        connection.execute(&*statement).await?;
                    }
                    Ok(())
                })
            });
        let pool = options.connect_lazy(url.text()).map_err(|error| DatabaseError::of("open", error))?;
        let database = Self { pool, engine };
        let mut attempt = 1;
        loop {
            match schema::bring_up_to_date(&database).await {
                // Two programs that make the same file at once may find it locked for a moment.
                Err(error) if error.passes() && attempt < ATTEMPTS => {
                    tracing::warn!(%error, attempt, "database not opened yet, trying again");
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                done => return done.map(|()| database),
            }
        }
    }

    /// Begins a transaction that may write. Nothing was done before, so a locked database and a lost connection
    /// are tried again.
    pub(crate) async fn begin(&self) -> Result<Work, DatabaseError> {
        let mut attempt = 1;
        loop {
            let begun = self.pool.begin_with(self.engine.begin()).await;
            match begun.map_err(|error| DatabaseError::of("begin a transaction in", error)) {
                Err(error) if error.passes() && attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                }
                begun => return begun,
            }
        }
    }

    /// For single statements that only read.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.pool
    }

    /// What a `SELECT` of rows that will be changed ends with.
    pub(crate) const fn locking(&self) -> &'static str {
        self.engine.locking()
    }

    /// [`Self::locking`] that passes over rows others hold.
    pub(crate) const fn skipping(&self) -> &'static str {
        self.engine.skipping()
    }

    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    /// Ends all connections, in good order.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the changes of a transaction count.
pub(crate) async fn commit(work: Work) -> Result<(), DatabaseError> {
    work.commit().await.map_err(|error| DatabaseError::of("commit a transaction in", error))
}
