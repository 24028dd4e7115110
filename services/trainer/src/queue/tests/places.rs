//! Where the cases run.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use gifthorse_tests::postgres::Postgres;

use crate::configuration::DatabaseConfiguration;
use crate::database::{Database, DatabaseUrl};

/// An empty database.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) url: DatabaseUrl,
}

pub(super) fn configuration() -> DatabaseConfiguration {
    DatabaseConfiguration { patience: Duration::from_secs(20), ..DatabaseConfiguration::default() }
}

impl Place {
    /// Opens it, as one more trainer would.
    pub(super) async fn open(&self) -> Database {
        Database::open(&self.url, &configuration()).await.unwrap()
    }
}

/// Runs a case on a new file.
pub(super) async fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Place) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(&folder.path().join("trainer.sqlite")).unwrap();
    case(Place { url }).await;
}

/// A case, and what it is called.
type Named = (&'static str, fn(Place) -> Pin<Box<dyn Future<Output = ()>>>);

/// Runs cases one after the other, each on a database of its own of one server.
pub(super) async fn on_postgres(cases: &[Named]) {
    let Some(postgres) = Postgres::start("the queue on PostgreSQL") else { return };
    for (name, case) in cases {
        let url = DatabaseUrl::parse(&postgres.database(name)).unwrap();
        case(Place { url }).await;
    }
}
