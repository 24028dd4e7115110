//! The trainer, and the API server, gone in the midst of jobs.

use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;

use super::lab::{Lab, START_WITHIN, waits_for};
use super::support::{asked_with, create, ended, until};
use crate::node::Plan;

#[tokio::test]
async fn a_trainer_that_was_killed_finds_its_workers_again() {
    let Some(mut lab) = Lab::start("a trainer that is killed beside a cluster", &[]).await else { return };
    let running = create(&mut lab.jobs, asked_with(&[("test.unit_ms", 60.0)]), "").await.unwrap().name;
    until(&mut lab.jobs, &running, |job| job.stage == "rank").await;
    lab.node.plan(Plan::Unschedulable);
    let waiting = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    until(&mut lab.jobs, &waiting, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;
    lab.restart_trainer(&[]).await;
    lab.node.plan(Plan::Run);
    for name in [&running, &waiting] {
        let job = ended(&mut lab.jobs, name).await;
        assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
        assert!(job.fault.is_none(), "nobody noticed: {job:?}");
        assert_eq!(lab.jobs_of(name).await.len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_lost_while_the_api_server_is_gone() {
    let Some(mut lab) = Lab::start("an API server that goes away", &[]).await else { return };
    let running = create(&mut lab.jobs, asked_with(&[("test.unit_ms", 500.0)]), "").await.unwrap().name;
    until(&mut lab.jobs, &running, |job| job.stage == "baseline").await;
    lab.node.plan(Plan::Unschedulable);
    let held = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    until(&mut lab.jobs, &held, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;

    lab.cluster.stop_server();
    // Longer than a worker has to start, and than a lease lasts.
    let new = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    until(&mut lab.jobs, &new, |job| waits_for(job, Kind::Launch, "API server does not answer")).await;
    tokio::time::sleep(START_WITHIN * 2).await;
    let job = until(&mut lab.jobs, &running, |_| true).await;
    assert_eq!((job.state(), job.attempts), (State::Running, 1), "its lease goes on: {job:?}");
    let job = until(&mut lab.jobs, &held, |_| true).await;
    assert!(waits_for(&job, Kind::Unschedulable, "nodes") && job.attempts == 0, "{job:?}");

    lab.node.plan(Plan::Run);
    lab.cluster.start_server().await;
    for name in [&held, &running, &new] {
        let job = ended(&mut lab.jobs, name).await;
        assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
        assert_eq!(lab.jobs_of(name).await.len(), 1, "{name}");
    }
}
