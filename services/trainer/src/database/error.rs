//! Why the database did not do what it was asked to.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why the database did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// The address is of no kind that is known.
    #[error("database.url {url:?} cannot be used: {reason}")]
    Address {
        /// The address, without what may be secret.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It does not answer, is locked for too long, or refuses.
    #[error(
        "cannot {action} the database of the jobs: {source}; see whether it runs and whether its disk is full"
    )]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// The driver's own words.
        #[source]
        source: Box<sqlx::Error>,
    },
    /// What is stored is not what this program stores.
    #[error("the database of the jobs holds a row that cannot be read: {0}")]
    Damaged(String),
    /// A newer release made the tables.
    #[error(
        "the tables of the jobs have version {found}, this program knows {known}: use the release that made them"
    )]
    Newer {
        /// What the database says.
        found: i64,
        /// What this program knows.
        known: i64,
    },
}

impl DatabaseError {
    /// The error of a driver. A value that cannot be read is damage, everything else an outage.
    pub(crate) fn of(action: &'static str, source: sqlx::Error) -> Self {
        match source {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::Decode(_) => Self::Damaged(source.to_string()),
            source => Self::Unavailable { action, source: Box::new(source) },
        }
    }

    /// Whether the same may succeed in a moment: the database is locked or a connection was lost.
    pub(crate) fn passes(&self) -> bool {
        let Self::Unavailable { source, .. } = self else { return false };
        match source.as_ref() {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(found) => {
                // SQLite: busy and locked, with their extended forms. PostgreSQL: serialization, deadlock, and
                // the classes of lost connections and of a server that starts or stops.
                let code = found.code().unwrap_or_default();
                match code.parse::<u32>() {
                    Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6),
                    _ => code.starts_with("08") || code.starts_with("57P") || code.starts_with("40"),
                }
            }
            _ => false,
        }
    }

    /// Whether a row of this key is there already.
    pub(crate) fn is_taken(&self) -> bool {
        let Self::Unavailable { source, .. } = self else { return false };
        source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }
}

impl Coded for DatabaseError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Address { .. } => ErrorCode::InvalidField,
            Self::Unavailable { .. } => ErrorCode::DatabaseUnavailable,
            Self::Damaged(_) | Self::Newer { .. } => ErrorCode::RecordInvalid,
        }
    }
}
