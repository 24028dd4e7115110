//! Jobs that are stopped while they wait, while they run, and while they do not listen.

use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;

use super::lab::{Lab, waits_for};
use super::support::{asked_with, create, ended, until};
use crate::node::Plan;

#[tokio::test]
async fn a_job_is_stopped_wherever_it_is_and_leaves_nothing_behind() {
    let Some(mut lab) = Lab::start("jobs that are cancelled in a cluster", &[]).await else { return };
    lab.node.plan(Plan::Unschedulable);
    let name = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    until(&mut lab.jobs, &name, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;
    let request = v1::CancelPruningJobRequest { name: name.clone() };
    let told = lab.jobs.cancel_pruning_job(request).await.unwrap().into_inner();
    assert_eq!(told.state(), State::Cancelled);
    lab.until_gone(&name).await;

    lab.node.plan(Plan::Run);
    let name = create(&mut lab.jobs, asked_with(&[("test.unit_ms", 30.0)]), "").await.unwrap().name;
    until(&mut lab.jobs, &name, |job| job.stage == "rank").await;
    let request = v1::CancelPruningJobRequest { name: name.clone() };
    assert_eq!(lab.jobs.cancel_pruning_job(request).await.unwrap().into_inner().state(), State::Cancelling);
    assert_eq!(ended(&mut lab.jobs, &name).await.state(), State::Cancelled);

    // One unit lasts longer than anybody waits: its Job is removed with its Pod.
    let name = create(&mut lab.jobs, asked_with(&[("test.unit_ms", 600_000.0)]), "").await.unwrap().name;
    until(&mut lab.jobs, &name, |job| job.state() == State::Running && !job.stage.is_empty()).await;
    lab.jobs.cancel_pruning_job(v1::CancelPruningJobRequest { name: name.clone() }).await.unwrap();
    assert_eq!(ended(&mut lab.jobs, &name).await.state(), State::Cancelled);
    lab.until_gone(&name).await;
}
