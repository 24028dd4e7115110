//! Whose token gives which lease.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde_json::{Value, json};

use super::answers::Answers;
use super::settings;
use crate::launcher::kubernetes::{Credentials, CredentialsError, Jobs};

const REVIEWS: &str = "POST /apis/authentication.k8s.io/v1/tokenreviews";
const POD: &str = "GET /api/v1/namespaces/lab/pods/pod-1";
const JOB: &str = "GET /apis/batch/v1/namespaces/lab/jobs/a";

fn reviewed(user: &str, audience: &str, pod: &Value) -> Value {
    let extra = json!({"authentication.kubernetes.io/pod-name": ["pod-1"],
                       "authentication.kubernetes.io/pod-uid": pod});
    json!({"spec": {}, "status": {"authenticated": true, "audiences": [audience],
           "user": {"username": user, "extra": extra}}})
}

fn sound() -> Value {
    reviewed("system:serviceaccount:lab:worker", "gifthorse-trainer", &json!(["uid-1"]))
}

fn pod(uid: &str, owner: &str) -> Value {
    let owner =
        json!({"apiVersion": "batch/v1", "kind": owner, "name": "a", "uid": "uid-a", "controller": true});
    json!({"metadata": {"name": "pod-1", "uid": uid, "ownerReferences": [owner]}})
}

fn job(uid: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": "a", "uid": uid, "labels": labels}})
}

fn its() -> Value {
    json!({"gifthorse.dev/job": "job-0011"})
}

async fn checked(prepared: Vec<(&'static str, u16, Value)>) -> Result<(), CredentialsError> {
    let answers = Answers::to(prepared);
    credentials(&answers).check(Some("secret"), Some(&"job-0011".parse().unwrap())).await
}

fn credentials(answers: &Answers) -> Credentials {
    let jobs = Jobs::with(answers.client(), "lab".to_owned(), &settings(), "/data".to_owned());
    jobs.credentials().unwrap()
}

#[tokio::test]
async fn a_pod_of_the_job_s_own_job_gets_its_lease_and_no_other() {
    let prepared =
        vec![(REVIEWS, 201, sound()), (POD, 200, pod("uid-1", "Job")), (JOB, 200, job("uid-a", &its()))];
    let answers = Answers::to(prepared);
    let credentials = credentials(&answers);
    let own = "job-0011".parse().unwrap();
    credentials.check(Some("secret"), Some(&own)).await.unwrap();
    let (_, sent) = answers.asked().remove(0);
    assert_eq!(sent["spec"], json!({"audiences": ["gifthorse-trainer"], "token": "secret"}));

    // It is remembered for a moment, for its own job alone.
    answers.change(Vec::new());
    credentials.check(Some("secret"), Some(&own)).await.unwrap();
    for other in [Some("job-0012".parse().unwrap()), None] {
        let refused = credentials.check(Some("secret"), other.as_ref()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::PermissionDenied, "{refused}");
        assert!(refused.to_string().contains("that of job-0011"), "{refused}");
    }
    assert!(matches!(
        credentials.check(Some("another"), Some(&own)).await,
        Err(CredentialsError::Unchecked(_))
    ));
    assert_eq!(credentials.check(None, Some(&own)).await, Err(CredentialsError::NoToken));
    assert!(!format!("{credentials:?}").contains("secret"));
}

#[tokio::test]
async fn everything_else_is_refused_by_its_reason() {
    let of = |user: &str| reviewed(user, "gifthorse-trainer", &json!(["uid-1"]));
    let elsewhere = reviewed("system:serviceaccount:lab:worker", "another", &json!(["uid-1"]));
    let unbound = reviewed("system:serviceaccount:lab:worker", "gifthorse-trainer", &json!([]));
    let unknown = json!({"spec": {}, "status": {"error": "token expired"}});
    let (good_pod, good_job) = ((POD, 200, pod("uid-1", "Job")), (JOB, 200, job("uid-a", &its())));
    let cases = [
        (vec![(REVIEWS, 201, unknown)], ErrorCode::Unauthenticated, "token expired"),
        (vec![(REVIEWS, 201, elsewhere)], ErrorCode::Unauthenticated, "not meant for gifthorse-trainer"),
        (
            vec![(REVIEWS, 201, of("system:serviceaccount:lab:default"))],
            ErrorCode::PermissionDenied,
            "lab:default",
        ),
        (vec![(REVIEWS, 201, unbound)], ErrorCode::PermissionDenied, "bound to no Pod"),
        (
            vec![(REVIEWS, 201, sound()), (POD, 404, json!({"reason": "NotFound"}))],
            ErrorCode::PermissionDenied,
            "pod-1 is gone",
        ),
        (
            vec![(REVIEWS, 201, sound()), (POD, 200, pod("uid-2", "Job"))],
            ErrorCode::PermissionDenied,
            "is gone",
        ),
        (
            vec![(REVIEWS, 201, sound()), (POD, 200, pod("uid-1", "ReplicaSet"))],
            ErrorCode::PermissionDenied,
            "belongs to no Job",
        ),
        (
            vec![(REVIEWS, 201, sound()), good_pod.clone(), (JOB, 200, job("uid-b", &its()))],
            ErrorCode::PermissionDenied,
            "the Job a of its Pod is gone",
        ),
        (
            vec![(REVIEWS, 201, sound()), good_pod.clone(), (JOB, 200, job("uid-a", &json!({})))],
            ErrorCode::PermissionDenied,
            "none of this trainer's",
        ),
        (
            vec![(REVIEWS, 403, json!({"reason": "Forbidden", "message": "no"})), good_pod, good_job],
            ErrorCode::ServiceUnavailable,
            "may not create tokenreviews.authentication.k8s.io of the cluster",
        ),
    ];
    for (prepared, code, part) in cases {
        let refused = checked(prepared).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
}
