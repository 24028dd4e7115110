//! Workers that somebody else started: they ask for jobs, and outlive a trainer.

use std::process::{Child, Command, Stdio};

use gifthorse_api::v1::pruning_job::State;
use gifthorse_tests::house::{House, wait_until_serving};
use gifthorse_tests::program::Program;

use super::support::{
    asked_with, create, ended, events, house_with, jobs, test_worker, trainer_settings, until,
};

const ALONE: (&str, &str) = ("launcher.kind", "none");

fn worker(house: &House) -> Child {
    let mut command = Command::new(test_worker());
    command.args(["--trainer", &format!("http://{}", house.trainer.grpc)]);
    command.env("TMPDIR", house.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test]
async fn a_worker_that_lives_keeps_its_job_when_the_trainer_is_killed() {
    let mut house = house_with(&[("trainer", ALONE.0, ALONE.1)]).await;
    let mut jobs = jobs(&house).await;
    let idle = worker(&house).wait_with_output().unwrap();
    assert!(idle.status.success() && String::from_utf8_lossy(&idle.stdout).contains("no job"));

    let name = create(&mut jobs, asked_with(&[("test.unit_ms", 40.0)]), "").await.unwrap().name;
    let worker = worker(&house);
    until(&mut jobs, &name, |job| job.stage == "rank").await;
    let address = house.trainer.grpc.to_string();
    house.trainer.signal("KILL");
    house.trainer.wait();
    let settings = trainer_settings(&house.folder.path().join("data"), &[ALONE]);
    house.trainer = Program::start_at("trainer", &address, &settings, house.folder.path());
    wait_until_serving(&house.trainer).await;
    let job = ended(&mut jobs, &name).await;
    assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
    assert!(job.fault.is_none(), "nobody noticed");
    let told = worker.wait_with_output().unwrap();
    assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("is done"));
    let told = events(&mut jobs, &name, 0).await;
    assert!(told.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence), "no event is lost");
}
