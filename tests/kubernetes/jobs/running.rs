//! Jobs that run, are ended by their node and go on, and wait for one.

use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;
use kube::ResourceExt;

use super::lab::{Lab, START_WITHIN, waits_for};
use super::support::{asked_with, create, ended, events, until, versions_of};
use crate::node::Plan;

fn specification() -> v1::PruningSpecification {
    v1::PruningSpecification { seed: 2026, ..asked_with(&[("test.unit_ms", 20.0)]) }
}

async fn digest(lab: &mut Lab, name: &str) -> String {
    let made = versions_of(&mut lab.house.models().await, name).await;
    assert_eq!(made.len(), 1, "one version: {made:?}");
    made[0].digest.clone()
}

#[tokio::test]
async fn a_job_runs_in_the_cluster_and_goes_on_where_its_node_ended_it() {
    let Some(mut lab) = Lab::start("jobs that run in a cluster", &[]).await else { return };
    let name = create(&mut lab.jobs, specification(), "").await.unwrap().name;
    let job = ended(&mut lab.jobs, &name).await;
    assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
    assert!(job.fault.is_none());
    assert_eq!(lab.jobs_of(&name).await.len(), 1);
    let expected = digest(&mut lab, &name).await;

    // What the kernel does to a worker that uses too much memory.
    let name = create(&mut lab.jobs, specification(), "").await.unwrap().name;
    until(&mut lab.jobs, &name, |job| job.stage == "prune").await;
    let pod = lab.pod_of(&name).await.name_any();
    lab.node.end(&pod, "OOMKilled");
    let job = ended(&mut lab.jobs, &name).await;
    assert_eq!((job.state(), job.attempts), (State::Succeeded, 2), "{job:?}");
    let told: Vec<String> =
        events(&mut lab.jobs, &name, 0).await.into_iter().map(|event| event.message).collect();
    let says = |part: &str| told.iter().any(|message| message.contains(part));
    assert!(says("WORKER_OUT_OF_MEMORY") && says("going on in prune"), "{told:?}");
    assert_eq!(digest(&mut lab, &name).await, expected, "it comes to the same end");
    assert_eq!(lab.jobs_of(&name).await.len(), 2, "one Job an attempt");

    // A Pod that ends with an error of its own: its last lines are told, and are in the job's log.
    let name = create(&mut lab.jobs, specification(), "").await.unwrap().name;
    until(&mut lab.jobs, &name, |job| job.stage == "rank").await;
    let pod = lab.pod_of(&name).await.name_any();
    let log = lab.cluster.folder.path().join("logs").join(format!("{pod}.log"));
    std::fs::write(log, "one line\nits last words\n").unwrap();
    lab.node.end(&pod, "Error");
    let job = until(&mut lab.jobs, &name, |job| job.fault.is_some()).await;
    let fault = job.fault.unwrap();
    assert!(fault.kind() == Kind::WorkerLost && fault.message.contains("its last words"), "{fault:?}");
    assert_eq!(ended(&mut lab.jobs, &name).await.state(), State::Succeeded);
    let request = v1::GetPruningLogRequest { name, lines: 0 };
    let log = lab.jobs.get_pruning_log(request).await.unwrap().into_inner().lines;
    assert!(log.contains(&"one line".to_owned()), "{log:?}");
}

#[tokio::test]
async fn what_a_worker_waits_for_is_shown_and_costs_no_attempt() {
    let Some(mut lab) = Lab::start("jobs that wait for a node", &[]).await else { return };
    lab.node.plan(Plan::Unschedulable);
    let name = create(&mut lab.jobs, specification(), "").await.unwrap().name;
    let shown = |job: &v1::PruningJob| waits_for(job, Kind::Unschedulable, "Insufficient nvidia.com/gpu");
    until(&mut lab.jobs, &name, shown).await;
    // Nobody takes it for dead, however long that is.
    tokio::time::sleep(START_WITHIN * 2).await;
    let job = until(&mut lab.jobs, &name, shown).await;
    assert_eq!(job.attempts, 0);
    lab.node.plan(Plan::NoImage);
    until(&mut lab.jobs, &name, |job| waits_for(job, Kind::Launch, "ErrImagePull: no such image")).await;
    lab.node.plan(Plan::Run);
    let job = ended(&mut lab.jobs, &name).await;
    assert_eq!((job.state(), job.attempts, job.fault), (State::Succeeded, 1, None));
    assert_eq!(lab.jobs_of(&name).await.len(), 1, "one Job all the time");
    let told = events(&mut lab.jobs, &name, 0).await;
    let waits = told.iter().filter(|event| event.message.starts_with("its worker waits")).count();
    assert_eq!(waits, 2, "each reason is told once: {told:?}");
}
