//! Jobs that are stopped, at every stage.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;

use super::support::{asked_with, create, ended, house, is_over, jobs, until, versions_of, workers_of};
use crate::support::calls::assert_refused;

const STAGES: [&str; 7] = ["baseline", "rank", "prune", "choose", "fine_tune", "gate", "export"];

#[tokio::test]
async fn a_job_is_stopped_at_whatever_stage_it_is() {
    let house = house().await;
    let mut jobs = jobs(&house).await;
    for stage in STAGES {
        let specification = asked_with(&[("test.unit_ms", 30.0)]);
        let name = create(&mut jobs, specification, "").await.unwrap().name;
        let running = until(&mut jobs, &name, |job| job.stage == stage || is_over(job)).await;
        assert_eq!(running.state(), State::Running, "{stage}");
        let request = v1::CancelPruningJobRequest { name: name.clone() };
        let told = jobs.cancel_pruning_job(request.clone()).await.unwrap().into_inner();
        assert_eq!(told.state(), State::Cancelling, "{stage}");
        let job = ended(&mut jobs, &name).await;
        assert_eq!((job.state(), job.version.as_str()), (State::Cancelled, ""), "{stage}: {job:?}");
        let again = jobs.cancel_pruning_job(request).await.unwrap().into_inner();
        assert_eq!(again.state(), State::Cancelled, "asked for again it is the same");
        assert!(versions_of(&mut house.models().await, &name).await.is_empty(), "{stage}");
    }
    // All workers are gone, and the next job runs as if nothing had been.
    let name = create(&mut jobs, asked_with(&[]), "").await.unwrap().name;
    assert_eq!(ended(&mut jobs, &name).await.state(), State::Succeeded);
    let refused = jobs.cancel_pruning_job(v1::CancelPruningJobRequest { name }).await;
    assert_refused(refused, ErrorCode::JobEnded, "has ended");
    for _ in 0..200 {
        if workers_of(house.trainer.id()).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("workers outlive their jobs");
}

#[tokio::test]
async fn a_worker_that_does_not_listen_is_ended() {
    let house = house().await;
    let mut jobs = jobs(&house).await;
    // One unit lasts longer than anybody waits.
    let name = create(&mut jobs, asked_with(&[("test.unit_ms", 600_000.0)]), "").await.unwrap().name;
    until(&mut jobs, &name, |job| job.state() == State::Running && !job.stage.is_empty()).await;
    jobs.cancel_pruning_job(v1::CancelPruningJobRequest { name: name.clone() }).await.unwrap();
    assert_eq!(ended(&mut jobs, &name).await.state(), State::Cancelled);
}
