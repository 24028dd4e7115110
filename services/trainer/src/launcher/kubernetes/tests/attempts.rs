//! Launching, observing and stopping against prepared answers.

use gifthorse_api::v1::job_fault::Kind;
use serde_json::{Value, json};

use super::answers::Answers;
use super::{launch, settings};
use crate::launcher::kubernetes::Jobs;
use crate::launcher::kubernetes::follow::locked;
use crate::launcher::{Launcher, NotLaunched, Observed};

const JOBS: &str = "POST /apis/batch/v1/namespaces/lab/jobs";
const JOB: &str = "GET /apis/batch/v1/namespaces/lab/jobs/gifthorse-job-0011-2";
const DELETE: &str = "DELETE /apis/batch/v1/namespaces/lab/jobs/gifthorse-job-0011-2";
const LOG: &str = "GET /api/v1/namespaces/lab/pods/pod-1/log";

/// A launcher that knows all Jobs and Pods that it was told of, whatever else happens.
fn launcher(answers: &Answers) -> Jobs {
    let jobs = Jobs::with(answers.client(), "lab".to_owned(), &settings(), "/data".to_owned());
    let mut picture = locked(&jobs.picture);
    (picture.jobs_followed, picture.pods_followed) = (true, true);
    drop(picture);
    jobs
}

fn of_attempt(attempt: &str, more: &Value) -> Value {
    let labels = json!({"gifthorse.dev/job": "job-0011", "gifthorse.dev/attempt": attempt});
    let mut metadata = json!({"name": "gifthorse-job-0011-2", "labels": labels});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})
}

fn made() -> Value {
    of_attempt("job-0011-2", &json!({}))
}

fn taken() -> (&'static str, u16, Value) {
    (JOBS, 409, json!({"reason": "AlreadyExists", "message": "jobs.batch already exists"}))
}

#[tokio::test]
async fn an_attempt_is_one_job_however_often_it_is_launched() {
    let answers = Answers::to(vec![(JOBS, 201, made())]);
    let jobs = launcher(&answers);
    let handle = jobs.launch(&launch()).await.unwrap();
    assert_eq!(handle, jobs.claim(&launch().name), "whoever claims it again finds it");
    answers.change(vec![taken(), (JOB, 200, made())]);
    assert_eq!(jobs.launch(&launch()).await.unwrap(), handle);
    assert_eq!(jobs.observe(&handle).await, Observed::Waits(None));
    let (_, sent) = answers.asked().remove(0);
    assert_eq!(sent["metadata"]["name"], "gifthorse-job-0011-2");

    let cases = [
        (200, of_attempt("job-0011-1", &json!({})), false, "is taken by something"),
        (
            200,
            of_attempt("job-0011-2", &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})),
            true,
            "removed",
        ),
    ];
    for (code, found, passes, part) in cases {
        answers.change(vec![taken(), (JOB, code, found)]);
        let (fault, found) = match jobs.launch(&launch()).await.unwrap_err() {
            NotLaunched::NotNow(fault) => (fault, true),
            NotLaunched::Failed(fault) => (fault, false),
        };
        assert!(found == passes && fault.message.contains(part), "{fault:?}");
    }
}

#[tokio::test]
async fn a_missing_right_is_named_and_an_outage_costs_nothing() {
    let forbidden = json!({"reason": "Forbidden", "message": "User \"trainer\" cannot create resource"});
    let answers = Answers::to(vec![(JOBS, 403, forbidden)]);
    let jobs = launcher(&answers);
    let NotLaunched::Failed(fault) = jobs.launch(&launch()).await.unwrap_err() else { panic!("it failed") };
    assert_eq!(fault.kind, Kind::Launch);
    assert!(fault.message.contains("may not create jobs.batch in namespace lab"), "{}", fault.message);
    answers.change(Vec::new());
    assert!(matches!(jobs.launch(&launch()).await, Err(NotLaunched::NotNow(_))));
}

#[tokio::test]
async fn what_is_not_known_is_no_end() {
    let answers = Answers::to(vec![(JOBS, 201, made())]);
    let jobs = launcher(&answers);
    let handle = jobs.claim(&launch().name);
    // Nothing is prepared: the cluster cannot say.
    assert_eq!(jobs.observe(&handle).await, Observed::Unknown);
    answers.change(vec![(JOB, 404, json!({"reason": "NotFound"}))]);
    assert_eq!(jobs.observe(&handle).await, Observed::Elsewhere, "it was claimed and never made");
    assert_eq!(jobs.observe("a process").await, Observed::Elsewhere);

    answers.change(vec![(JOBS, 201, made())]);
    jobs.launch(&launch()).await.unwrap();
    locked(&jobs.picture).jobs_followed = false;
    assert_eq!(jobs.observe(&handle).await, Observed::Unknown);
    locked(&jobs.picture).replace_jobs(Vec::new());
    assert_eq!(jobs.observe(&handle).await, Observed::Unknown, "the list may be an old one");
    locked(&jobs.picture).jobs_followed = true;
    answers.change(vec![(JOB, 404, json!({"reason": "NotFound"}))]);
    let Observed::Ended(ending) = jobs.observe(&handle).await else { panic!("it is gone") };
    assert_eq!(ending.fault.kind, Kind::WorkerLost);
}

#[tokio::test]
async fn the_log_is_fetched_before_the_pod_goes() {
    let text = "starting\n\nthe loss is NaN\n";
    let answers = Answers::to(vec![(JOBS, 201, made()), (LOG, 200, json!(text))]);
    let jobs = launcher(&answers);
    let handle = jobs.launch(&launch()).await.unwrap();
    let terminated =
        json!({"terminated": {"reason": "Error", "exitCode": 101, "message": "kept by the node"}});
    let pod = json!({
        "metadata": {"name": "pod-1", "labels": {"job-name": "gifthorse-job-0011-2"}},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "worker", "image": "", "imageID": "",
                   "ready": false, "restartCount": 0, "state": terminated}]},
    });
    locked(&jobs.picture).put_pod(serde_json::from_value(pod).unwrap());
    let Observed::Ended(ending) = jobs.observe(&handle).await else { panic!("it has ended") };
    assert_eq!(ending.log, ["starting", "the loss is NaN"]);
    assert!(ending.fault.message.contains("status 101 (the loss is NaN)"), "{}", ending.fault.message);

    // Where the log cannot be had, what the node kept of it does.
    answers.change(Vec::new());
    let Observed::Ended(ending) = jobs.observe(&handle).await else { panic!("it has ended") };
    assert_eq!(ending.log, ["kept by the node"]);
}

#[tokio::test]
async fn a_job_is_removed_with_its_pods_and_one_that_is_gone_is_as_good() {
    let answers = Answers::to(vec![(JOBS, 201, made()), (DELETE, 200, made())]);
    let jobs = launcher(&answers);
    let handle = jobs.launch(&launch()).await.unwrap();
    jobs.stop(&handle).await;
    let (_, sent) = answers.asked().pop().unwrap();
    assert_eq!(sent["propagationPolicy"], "Background");
    let missing = json!({"reason": "NotFound", "message": "not found"});
    answers.change(vec![(DELETE, 404, missing.clone()), (JOB, 404, missing)]);
    jobs.stop(&handle).await;
    assert!(matches!(jobs.observe(&handle).await, Observed::Ended(_)), "it was there and is gone");
}
