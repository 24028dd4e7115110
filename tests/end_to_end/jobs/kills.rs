//! kill -9 of workers and of the trainer, at moments drawn from fixed seeds: no job is lost, none is done twice,
//! and what comes out is what an undisturbed run gives.

use std::time::Duration;

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_tests::house::{House, wait_until_serving};
use gifthorse_tests::program::Program;

use super::support::{
    Jobs, asked_with, create, ended, events, house, is_over, jobs, kill, trainer_settings, until,
    versions_of, workers_of,
};

/// Kills of each kind; `make soak` asks for more.
fn rounds() -> u64 {
    std::env::var("GIFTHORSE_SOAK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// What a run takes at least, in milliseconds: seven stages of six units.
const RUN: u64 = 7 * 6 * 15;

fn specification() -> v1::PruningSpecification {
    v1::PruningSpecification { seed: 2026, ..asked_with(&[("test.unit_ms", 15.0)]) }
}

/// Moments within a run, other ones for every seed.
fn moment(seed: u64) -> Duration {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Duration::from_millis((mixed >> 33) % RUN)
}

/// The digest of the network that a job made, which is one version, told once.
async fn digest(house: &House, jobs: &mut Jobs, name: &str) -> String {
    let job = ended(jobs, name).await;
    assert_eq!(job.state(), State::Succeeded, "{job:?}");
    let ends = events(jobs, name, 0).await;
    let ends = ends.iter().filter(|event| event.message == "done").count();
    assert_eq!(ends, 1, "it is done once");
    let made = versions_of(&mut house.models().await, name).await;
    assert_eq!(made.len(), 1, "one version: {made:?}");
    assert_eq!(made[0].name, job.version);
    made[0].digest.clone()
}

async fn undisturbed(house: &House, jobs: &mut Jobs) -> String {
    let name = create(jobs, specification(), "").await.unwrap().name;
    let found = digest(house, jobs, &name).await;
    assert_eq!(ended(jobs, &name).await.attempts, 1);
    found
}

#[tokio::test]
async fn a_killed_worker_s_job_goes_on_to_the_same_end() {
    let house = house().await;
    let mut jobs = jobs(&house).await;
    let expected = undisturbed(&house, &mut jobs).await;
    let mut repeated = 0;
    for seed in 0..rounds() {
        let name = create(&mut jobs, specification(), "").await.unwrap().name;
        until(&mut jobs, &name, |job| job.state() == State::Running || is_over(job)).await;
        tokio::time::sleep(moment(seed)).await;
        workers_of(house.trainer.id()).into_iter().for_each(kill);
        assert_eq!(digest(&house, &mut jobs, &name).await, expected, "seed {seed}");
        repeated += ended(&mut jobs, &name).await.attempts - 1;
    }
    assert!(repeated > 0, "some of the moments hit");
}

#[tokio::test]
async fn a_killed_trainer_s_jobs_go_on_to_the_same_end() {
    let mut house = house().await;
    let mut jobs = jobs(&house).await;
    let expected = undisturbed(&house, &mut jobs).await;
    let settings = trainer_settings(&house.folder.path().join("data"), &[]);
    for seed in 0..rounds() {
        let name = create(&mut jobs, specification(), &format!("r-{seed}")).await.unwrap().name;
        let waiting = create(&mut jobs, asked_with(&[]), "").await.unwrap().name;
        until(&mut jobs, &name, |job| job.state() == State::Running || is_over(job)).await;
        tokio::time::sleep(moment(seed + 100)).await;
        let address = house.trainer.grpc.to_string();
        house.trainer.signal("KILL");
        house.trainer.wait();
        house.trainer = Program::start_at("trainer", &address, &settings, house.folder.path());
        wait_until_serving(&house.trainer).await;
        assert_eq!(digest(&house, &mut jobs, &name).await, expected, "seed {seed}");
        assert_eq!(ended(&mut jobs, &waiting).await.state(), State::Succeeded, "seed {seed}");
        let again = create(&mut jobs, specification(), &format!("r-{seed}")).await.unwrap();
        assert_eq!(again.name, name, "the request is remembered");
    }
}

#[tokio::test]
async fn a_trainer_that_is_told_to_stop_hands_its_jobs_back() {
    let mut house = house().await;
    let mut jobs = jobs(&house).await;
    let expected = undisturbed(&house, &mut jobs).await;
    let name = create(&mut jobs, specification(), "").await.unwrap().name;
    until(&mut jobs, &name, |job| job.stage == "prune").await;
    let address = house.trainer.grpc.to_string();
    house.trainer.signal("TERM");
    assert_eq!(house.trainer.wait().code(), Some(0), "{}", house.trainer.log());
    let settings = trainer_settings(&house.folder.path().join("data"), &[]);
    house.trainer = Program::start_at("trainer", &address, &settings, house.folder.path());
    wait_until_serving(&house.trainer).await;
    assert_eq!(digest(&house, &mut jobs, &name).await, expected);
    let job = ended(&mut jobs, &name).await;
    assert!(job.attempts == 2 && job.fault.is_none(), "{job:?}");
}
