//! Workers that fail, in every way they can.

use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;

use super::support::{asked, asked_with, create, ended, house_with, jobs, test_worker};

#[tokio::test]
async fn faults_are_told_by_their_kind() {
    let worker = test_worker();
    let house = house_with(&[
        ("trainer", "launcher.program", &worker),
        ("trainer", "launcher.memory", "1500MiB"),
        ("trainer", "jobs.retries", "1"),
    ])
    .await;
    let mut jobs = jobs(&house).await;
    let cases = [
        ("test.fail", Kind::Numerical, "NUMERICAL_FAULT", "NaN at step 1", 1),
        ("test.panic", Kind::Internal, "ENGINE_FAILED", "panicked", 2),
        ("test.hoard", Kind::OutOfMemory, "WORKER_OUT_OF_MEMORY", "more memory", 2),
    ];
    for (accident, kind, reason, words, attempts) in cases {
        let name = create(&mut jobs, asked_with(&[(accident, 3.0)]), "").await.unwrap().name;
        let job = ended(&mut jobs, &name).await;
        let fault = job.fault.clone().unwrap();
        assert_eq!(
            (job.state(), fault.kind(), fault.reason.as_str()),
            (State::Failed, kind, reason),
            "{job:?}"
        );
        assert!(fault.message.contains(words), "{fault:?}");
        assert_eq!(job.attempts, attempts, "{accident}");
    }
    // What a worker wrote with its last breath is in the log.
    let listed = jobs.list_pruning_jobs(v1::ListPruningJobsRequest::default()).await.unwrap().into_inner();
    let mut logs = String::new();
    for job in listed.pruning_jobs {
        let request = v1::GetPruningLogRequest { name: job.name, lines: 0 };
        logs.push_str(&jobs.get_pruning_log(request).await.unwrap().into_inner().lines.join("\n"));
    }
    assert!(logs.contains("memory allocation of") && logs.contains("on purpose"), "{logs}");
}

#[tokio::test]
async fn data_that_vanish_are_named() {
    let worker = test_worker();
    let house = house_with(&[("trainer", "launcher.program", &worker)]).await;
    let mut jobs = jobs(&house).await;
    let blocking = create(&mut jobs, asked_with(&[("test.unit_ms", 20.0)]), "").await.unwrap().name;
    let name = create(&mut jobs, asked(), "").await.unwrap().name;
    house.json(&["dataset", "delete", "worn"]);
    ended(&mut jobs, &blocking).await;
    let job = ended(&mut jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!(
        (job.state(), fault.reason.as_str(), job.attempts),
        (State::Failed, "DATASET_NOT_FOUND", 1),
        "{job:?}"
    );
    assert!(fault.message.contains("worn"), "{fault:?}");
}

#[tokio::test]
async fn a_worker_that_cannot_be_started_is_tried_again_and_told() {
    let house = house_with(&[
        ("trainer", "launcher.program", "/nowhere/gifthorse-worker"),
        ("trainer", "jobs.retries", "2"),
    ])
    .await;
    let mut jobs = jobs(&house).await;
    let name = create(&mut jobs, asked(), "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!(
        (fault.kind(), fault.reason.as_str(), job.attempts),
        (Kind::Launch, "WORKER_NOT_STARTED", 3),
        "{job:?}"
    );
    assert!(fault.message.contains("/nowhere/gifthorse-worker"), "{fault:?}");
}
