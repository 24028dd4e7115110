//! A database that is locked, gone, or newer than this program.

use gifthorse_tests::postgres::Postgres;
use sqlx::AnyPool;

use super::*;
use crate::configuration::DatabaseConfiguration;
use crate::database::{Database, DatabaseUrl};

#[tokio::test]
async fn a_locked_file_is_a_stated_error_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trainer.sqlite");
    let url = DatabaseUrl::file(&path).unwrap();
    let impatient = DatabaseConfiguration { patience: Duration::from_millis(300), ..Default::default() };
    let queue = Queue::new(Database::open(&url, &impatient).await.unwrap(), settings());
    let other = AnyPool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let blocker = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let refused = queue.create(new_job("r", 0)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DatabaseUnavailable, "{refused}");
    blocker.rollback().await.unwrap();
    queue.create(new_job("r", 0)).await.unwrap();
}

#[tokio::test]
async fn tables_of_a_newer_release_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(&folder.path().join("trainer.sqlite")).unwrap();
    let database = Database::open(&url, &places::configuration()).await.unwrap();
    let newer = "INSERT INTO schema_steps (number) VALUES (99)";
    sqlx::query(newer).execute(database.reader()).await.unwrap();
    database.close().await;
    let refused = Database::open(&url, &places::configuration()).await.unwrap_err();
    assert!(refused.to_string().contains("version 99"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_stated_error_and_comes_back() {
    let Some(mut postgres) = Postgres::start("a queue whose server goes") else { return };
    let url = DatabaseUrl::parse(&postgres.database("jobs")).unwrap();
    let impatient = DatabaseConfiguration { patience: Duration::from_millis(500), ..Default::default() };
    let queue = Queue::new(Database::open(&url, &impatient).await.unwrap(), settings());
    let job = queue.create(new_job("", 0)).await.unwrap().into_job();
    postgres.stop();
    let refused = queue.get(&job.id).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DatabaseUnavailable, "{refused}");
    let refused = queue.create(new_job("", 0)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DatabaseUnavailable, "{refused}");
    postgres.go_on();
    assert_eq!(queue.get(&job.id).await.unwrap(), job);
    queue.create(new_job("", 0)).await.unwrap();
}
