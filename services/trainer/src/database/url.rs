//! Where the database is, and how the two kinds differ.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use super::DatabaseError;

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file, written by one transaction at a time.
    Sqlite,
    /// A server.
    Postgres,
}

impl Engine {
    /// How a transaction that writes begins.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    pub(super) const fn locking(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    pub(super) const fn skipping(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The type of a column of bytes.
    pub(super) const fn bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
            Self::Postgres => "BYTEA",
        }
    }

    /// What a new connection is told. A job that was answered for is on the disk: the log of SQLite is synced
    /// with every transaction.
    pub(super) fn session(self, patience: Duration) -> Vec<Cow<'static, str>> {
        let patience = patience.as_millis();
        match self {
            Self::Sqlite => vec![
                format!("PRAGMA busy_timeout = {patience}").into(),
                "PRAGMA journal_mode = WAL".into(),
                "PRAGMA synchronous = FULL".into(),
            ],
            Self::Postgres => vec![
                format!("SET lock_timeout = {patience}").into(),
                format!("SET statement_timeout = {}", patience * 4).into(),
            ],
        }
    }
}

/// The address of the database, in the form the driver takes. Not shown: it may hold a password.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    text: String,
    engine: Engine,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DatabaseUrl").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl DatabaseUrl {
    /// A file of SQLite.
    pub(crate) fn file(path: &Path) -> Result<Self, DatabaseError> {
        let wrong = |reason: String| DatabaseError::Address { url: path.display().to_string(), reason };
        let path = std::path::absolute(path).map_err(|error| wrong(error.to_string()))?;
        let url = ::url::Url::from_file_path(&path).map_err(|()| wrong("it is not a path".to_owned()))?;
        // The URL crate refuses to exchange a special scheme for another one.
        let rest = url.as_str().trim_start_matches("file");
        Ok(Self { text: format!("sqlite{rest}?mode=rwc"), engine: Engine::Sqlite })
    }

    /// What the configuration says: `sqlite:///PATH`, `postgres://...` or a path.
    pub(crate) fn parse(text: &str) -> Result<Self, DatabaseError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self { text: text.to_owned(), engine: Engine::Postgres });
        }
        if let Some(path) = text.strip_prefix("sqlite://") {
            return Self::file(Path::new(path));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let reason = "give sqlite:///PATH, postgres://HOST/DATABASE or a path".to_owned();
            return Err(DatabaseError::Address { url: format!("{scheme}://..."), reason });
        }
        Self::file(Path::new(text))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_decides() {
        let parse = |text: &str| DatabaseUrl::parse(text).unwrap();
        assert_eq!(parse("/srv/a b.sqlite").text(), "sqlite:///srv/a%20b.sqlite?mode=rwc");
        assert_eq!(parse("sqlite:///srv/a.sqlite").text(), "sqlite:///srv/a.sqlite?mode=rwc");
        assert_eq!(parse("postgres://u:p@h/d").engine(), Engine::Postgres);
        let refused = DatabaseUrl::parse("mysql://u:secret@h/d").unwrap_err().to_string();
        assert!(refused.contains("mysql://...") && !refused.contains("secret"), "{refused}");
        assert!(!format!("{:?}", parse("postgres://u:secret@h/d")).contains("secret"));
    }
}
