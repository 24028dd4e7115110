//! Two trainers on one PostgreSQL, in one cluster.

use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_jobs_client::PruningJobsClient;
use gifthorse_tests::house::{connect, wait_until_serving};
use gifthorse_tests::postgres::Postgres;

use super::lab::{Lab, waits_for};
use super::support::{asked_with, create, ended, events, until, versions_of};
use crate::node::Plan;

#[tokio::test]
async fn two_trainers_make_one_job_of_each_attempt_and_look_after_each_other_s() {
    let Some(postgres) = Postgres::start("two trainers in a cluster") else { return };
    let url = postgres.database("jobs");
    // Eight workers start at once, on a machine with much else to do.
    let shared = [("database.url", url.as_str()), ("launcher.start_within", "30s")];
    let Some(lab) = Lab::start("two trainers in a cluster", &shared).await else { return };
    let mut second = lab.trainer("127.0.0.1:0", &shared, "second");
    wait_until_serving(&second).await;
    let mut clients = [
        PruningJobsClient::new(connect(&lab.house.trainer).await),
        PruningJobsClient::new(connect(&second).await),
    ];
    let mut names = Vec::new();
    for index in 0..8 {
        let specification = asked_with(&[("test.unit_ms", 3.0)]);
        names.push(create(&mut clients[index % 2], specification, "").await.unwrap().name);
    }
    let mut models = lab.house.models().await;
    for (index, name) in names.iter().enumerate() {
        let client = &mut clients[(index + 1) % 2];
        let job = ended(client, name).await;
        assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
        let begun = events(client, name, 0).await;
        let begun = begun.iter().filter(|event| event.message.starts_with("attempt ")).count();
        assert_eq!(begun, 1, "{name} was leased once");
        assert_eq!(versions_of(&mut models, name).await.len(), 1);
        assert_eq!(lab.jobs_of(name).await.len(), 1, "{name} is one Job");
    }

    // One is killed while its Jobs run and wait; the other one sees to both.
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(create(&mut clients[1], asked_with(&[("test.unit_ms", 40.0)]), "").await.unwrap().name);
    }
    for name in &running {
        until(&mut clients[1], name, |job| job.state() == State::Running).await;
    }
    lab.node.plan(Plan::Unschedulable);
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(create(&mut clients[1], asked_with(&[]), "").await.unwrap().name);
    }
    for name in &waiting {
        until(&mut clients[1], name, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;
    }
    second.signal("KILL");
    second.wait();
    let request = v1::CancelPruningJobRequest { name: waiting[0].clone() };
    clients[0].cancel_pruning_job(request).await.unwrap();
    lab.until_gone(&waiting[0]).await;
    lab.node.plan(Plan::Run);
    for name in running.iter().chain(&waiting[1..]) {
        let job = ended(&mut clients[0], name).await;
        assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
        assert_eq!(lab.jobs_of(name).await.len(), 1, "{name} is one Job");
    }
}
