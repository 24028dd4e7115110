//! Two trainers on one PostgreSQL.

use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_jobs_client::PruningJobsClient;
use gifthorse_tests::house::{connect, wait_until_serving};
use gifthorse_tests::postgres::Postgres;
use gifthorse_tests::program::Program;

use super::support::{
    asked_with, create, ended, events, house_with, test_worker, trainer_settings, versions_of,
};

#[tokio::test]
async fn two_trainers_share_the_jobs_of_one_database() {
    let Some(postgres) = Postgres::start("two trainers on one PostgreSQL") else { return };
    let url = postgres.database("jobs");
    let worker = test_worker();
    let house =
        house_with(&[("trainer", "launcher.program", &worker), ("trainer", "database.url", &url)]).await;
    let folder = house.folder.path().join("second");
    std::fs::create_dir(&folder).unwrap();
    let settings = trainer_settings(
        &house.folder.path().join("data"),
        &[("database.url", &url), ("launcher.workers", "2")],
    );
    let mut second = Program::start("trainer", &settings, &folder);
    wait_until_serving(&second).await;
    let mut clients = [
        PruningJobsClient::new(connect(&house.trainer).await),
        PruningJobsClient::new(connect(&second).await),
    ];
    let mut names = Vec::new();
    for index in 0..10 {
        let specification = asked_with(&[("test.unit_ms", 3.0)]);
        names.push(create(&mut clients[index % 2], specification, "").await.unwrap().name);
    }
    let mut models = house.models().await;
    for (index, name) in names.iter().enumerate() {
        // Each is asked for at the trainer that did not queue it.
        let client = &mut clients[(index + 1) % 2];
        let job = ended(client, name).await;
        assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
        let begun = events(client, name, 0).await;
        let begun = begun.iter().filter(|event| event.message.starts_with("attempt ")).count();
        assert_eq!(begun, 1, "{name} was leased once");
        assert_eq!(versions_of(&mut models, name).await.len(), 1);
    }

    // One is killed with its workers in the midst of their work; the other one brings all to the end.
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(create(&mut clients[0], asked_with(&[("test.unit_ms", 30.0)]), "").await.unwrap().name);
    }
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    second.signal("KILL");
    second.wait();
    for name in &names {
        let job = ended(&mut clients[0], name).await;
        assert_eq!(job.state(), State::Succeeded, "{job:?}");
        assert_eq!(versions_of(&mut models, name).await.len(), 1);
    }
}
