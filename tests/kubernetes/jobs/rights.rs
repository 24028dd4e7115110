//! Who may do what: the trainer in the cluster, and workers at the trainer.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::worker_client::WorkerClient;
use gifthorse_tests::house::connect;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use tonic::{Code, Request, Status};

use super::lab::{Lab, waits_for};
use super::support::{asked_with, create, ended, until};
use crate::cluster::{Cluster, NAMESPACE};
use crate::node::Plan;
use crate::support::calls::assert_refused;

#[tokio::test]
async fn a_right_that_the_trainer_lacks_is_named() {
    let Some(mut lab) = Lab::start_without_rights("a trainer without rights", &[]).await else { return };
    let specification = v1::PruningSpecification { max_retries: -1, ..asked_with(&[]) };
    let name = create(&mut lab.jobs, specification, "").await.unwrap().name;
    let job = ended(&mut lab.jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!((job.state(), fault.kind()), (State::Failed, Kind::Launch), "{job:?}");
    assert!(fault.message.contains("may not create jobs.batch in namespace lab"), "{fault:?}");
    let said = lab.house.trainer.log();
    assert!(said.contains("may not list jobs.batch in namespace lab"), "{said}");
    assert!(said.contains("may not list pods in namespace lab"), "{said}");

    // With its rights it goes on by itself.
    lab.cluster.give_rights().await;
    let name = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    assert_eq!(ended(&mut lab.jobs, &name).await.state(), State::Succeeded);
}

async fn acquire(lab: &Lab, job: &str, token: Option<&str>) -> Result<v1::AcquireLeaseResponse, Status> {
    let mut worker = WorkerClient::new(connect(&lab.house.trainer).await);
    let asked =
        v1::AcquireLeaseRequest { worker: "another".to_owned(), job: job.to_owned(), ..Default::default() };
    let mut request = Request::new(asked);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    worker.acquire_lease(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_lease_is_given_to_the_pod_of_its_own_job_alone() {
    let Some(mut lab) = Lab::start("workers that prove who they are", &[]).await else { return };
    lab.node.plan(Plan::Unschedulable);
    let own = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    let other = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    let (pod, another) = (lab.pod_of(&own).await, lab.pod_of(&other).await);
    let admin = &lab.cluster.admin;
    let audience = Some("gifthorse-trainer");
    let (name, uid) = (pod.name_any(), pod.uid().unwrap());
    let bound = Some((name.as_str(), uid.as_str()));
    let (other_name, other_uid) = (another.name_any(), another.uid().unwrap());
    let other_bound = Some((other_name.as_str(), other_uid.as_str()));

    let no_token =
        assert_refused(acquire(&lab, &own, None).await, ErrorCode::Unauthenticated, "--token-file");
    assert_eq!(no_token.code(), Code::Unauthenticated);
    assert_refused(acquire(&lab, &own, Some("invented")).await, ErrorCode::Unauthenticated, "not valid");
    let elsewhere = Cluster::token(admin, "worker", Some("another"), bound).await.unwrap();
    assert_refused(acquire(&lab, &own, Some(&elsewhere)).await, ErrorCode::Unauthenticated, "not valid");
    let theirs = Cluster::token(admin, "worker", audience, other_bound).await.unwrap();
    let refused = acquire(&lab, &own, Some(&theirs)).await;
    assert_eq!(
        assert_refused(refused, ErrorCode::PermissionDenied, "it is that of").code(),
        Code::PermissionDenied
    );
    let unbound = Cluster::token(admin, "worker", audience, None).await.unwrap();
    assert_refused(acquire(&lab, &own, Some(&unbound)).await, ErrorCode::PermissionDenied, "bound to no Pod");
    let trainers = Cluster::token(admin, "trainer", audience, None).await.unwrap();
    assert_refused(acquire(&lab, &own, Some(&trainers)).await, ErrorCode::PermissionDenied, "lab:trainer");
    let its = Cluster::token(admin, "worker", audience, bound).await.unwrap();
    assert_refused(acquire(&lab, "", Some(&its)).await, ErrorCode::PermissionDenied, "any job");

    let given = acquire(&lab, &own, Some(&its)).await.unwrap();
    assert_eq!(given.job.unwrap().name, own);
}

#[tokio::test]
async fn a_job_that_is_there_already_is_the_attempt_s_or_nobody_s() {
    let one = [("launcher.workers", "1")];
    let Some(mut lab) = Lab::start("a Job that was made twice", &one).await else { return };
    lab.node.plan(Plan::Unschedulable);
    let first = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    until(&mut lab.jobs, &first, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;
    // There is no room for these two: their Jobs are made here, as a trainer would that was killed before it could say
    // so, and as somebody who has nothing to do with it.
    let second = create(&mut lab.jobs, asked_with(&[]), "").await.unwrap().name;
    let specification = v1::PruningSpecification { max_retries: -1, ..asked_with(&[]) };
    let third = create(&mut lab.jobs, specification, "").await.unwrap().name;
    let id = |name: &str| name.strip_prefix("pruningJobs/").unwrap().to_owned();
    let template = lab.jobs_of(&first).await.remove(0);
    let jobs: Api<Job> = Api::namespaced(lab.cluster.admin.clone(), NAMESPACE);
    for (name, is_its_own) in [(&second, true), (&third, false)] {
        let mut job: Job = serde_json::from_str(
            &serde_json::to_string(&cleared(template.clone())).unwrap().replace(&id(&first), &id(name)),
        )
        .unwrap();
        if !is_its_own {
            // Without any it would be given those of its Pods.
            job.metadata.labels = Some([("app".to_owned(), "another".to_owned())].into());
        }
        jobs.create(&PostParams::default(), &job).await.unwrap();
    }
    lab.jobs.cancel_pruning_job(v1::CancelPruningJobRequest { name: first }).await.unwrap();
    // What it waits for is told by the trainer that has found it there.
    until(&mut lab.jobs, &second, |job| waits_for(job, Kind::Unschedulable, "nodes")).await;
    lab.node.plan(Plan::Run);
    let job = ended(&mut lab.jobs, &second).await;
    assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
    assert_eq!(lab.jobs_of(&second).await.len(), 1);
    let job = ended(&mut lab.jobs, &third).await;
    let fault = job.fault.clone().unwrap();
    assert!(job.state() == State::Failed && fault.message.contains("is taken"), "{job:?}");
}

/// The Job without what the cluster has added.
fn cleared(mut job: Job) -> Job {
    let (name, labels) = (job.metadata.name.take(), job.metadata.labels.take());
    job.metadata = ObjectMeta { name, labels, ..ObjectMeta::default() };
    job.status = None;
    let spec = job.spec.as_mut().unwrap();
    spec.selector = None;
    let labels = spec.template.metadata.as_mut().unwrap().labels.as_mut().unwrap();
    labels.retain(|key, _| key != "job-name" && key != "controller-uid");
    job
}
