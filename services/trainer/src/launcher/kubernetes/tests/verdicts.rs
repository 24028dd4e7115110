//! States of Jobs and Pods, as clusters show them, and what follows.

use std::sync::Arc;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::job_fault::Kind;
use serde_json::{Value, json};

use crate::launcher::kubernetes::picture::{Known, Seen};
use crate::launcher::kubernetes::verdict::{Verdict, judge};

fn known(job: Value, pods: &[(Value, bool)]) -> Known {
    let pods = pods.iter().map(|(pod, gone)| {
        let mut pod = pod.clone();
        pod["metadata"] = json!({"name": "pod-1"});
        Seen { pod: Arc::new(serde_json::from_value(pod).unwrap()), gone: *gone }
    });
    Known { job: Arc::new(serde_json::from_value(job).unwrap()), pods: pods.collect() }
}

fn of_pod(status: &Value) -> Verdict {
    judge(&known(json!({}), &[(json!({"status": status}), false)]))
}

fn state(phase: &str, state: &Value) -> Value {
    let container = json!({"name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                           "state": state});
    json!({"phase": phase, "containerStatuses": [container]})
}

#[test]
fn a_pod_that_waits_tells_what_for() {
    let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}]});
    let waiting = |reason: &str| state("Pending", &json!({"waiting": {"reason": reason, "message": "m"}}));
    let cases = [
        (unscheduled, Some((Kind::Unschedulable, "Insufficient nvidia.com/gpu"))),
        (waiting("ImagePullBackOff"), Some((Kind::Launch, "ImagePullBackOff: m"))),
        (waiting("ErrImagePull"), Some((Kind::Launch, "ErrImagePull"))),
        (waiting("InvalidImageName"), Some((Kind::Launch, "InvalidImageName"))),
        (waiting("CreateContainerConfigError"), Some((Kind::Launch, "CreateContainerConfigError"))),
        (waiting("ContainerCreating"), None),
        (json!({"phase": "Pending"}), None),
        (json!({}), None),
    ];
    for (status, expected) in cases {
        let Verdict::Waits(found) = of_pod(&status) else { panic!("{status} does not wait") };
        assert_eq!(found.is_some(), expected.is_some(), "{status}");
        if let (Some(found), Some((kind, part))) = (found, expected) {
            assert_eq!((found.kind, found.reason.as_str()), (kind, ErrorCode::WorkerWaits.as_str()));
            assert!(found.message.contains(part), "{}", found.message);
        }
    }
    assert_eq!(judge(&known(json!({}), &[])), Verdict::Waits(None), "the Pod is about to be made");
    let suspended = json!({"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "repairs"}},
                           "spec": {"suspend": true, "template": {}}});
    let Verdict::Waits(Some(found)) = judge(&known(suspended, &[])) else { panic!("it is suspended") };
    assert!(found.kind == Kind::Unschedulable && found.message.contains("repairs"), "{found:?}");
}

#[test]
fn a_pod_that_runs_is_left_alone() {
    let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    assert_eq!(of_pod(&state("Running", &running)), Verdict::Runs);
    assert_eq!(of_pod(&json!({"phase": "Running"})), Verdict::Runs);
    // Another Pod was made for the one that was removed before it ran.
    let pods =
        [(json!({"status": {"phase": "Pending"}}), true), (json!({"status": {"phase": "Running"}}), false)];
    assert_eq!(judge(&known(json!({}), &pods)), Verdict::Runs);
}

#[test]
fn every_end_has_its_class() {
    let ended = |reason: &str, code: i32| {
        let words = "starting\nthe last word";
        state("Failed", &json!({"terminated": {"reason": reason, "exitCode": code, "message": words}}))
    };
    let cases = [
        (ended("OOMKilled", 137), Kind::OutOfMemory, "more memory"),
        (ended("Error", 3), Kind::Launch, "no lease (the last word)"),
        (ended("Error", 4), Kind::WorkerLost, "status 4 (the last word)"),
        (ended("Error", 137), Kind::WorkerLost, "status 137"),
        (ended("Completed", 0), Kind::WorkerLost, "without a result"),
        (ended("ContainerStatusUnknown", 137), Kind::WorkerLost, "cannot say how it ended"),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"}),
            Kind::WorkerLost,
            "evicted (low on ephemeral-storage)",
        ),
        (
            json!({"phase": "Running", "reason": "NodeLost", "message": "node was unresponsive"}),
            Kind::WorkerLost,
            "does not answer",
        ),
        (json!({"phase": "Unknown"}), Kind::WorkerLost, "does not answer"),
        (json!({"phase": "Failed", "reason": "Shutdown"}), Kind::WorkerLost, "shuts down"),
        (json!({"phase": "Failed", "reason": "UnexpectedAdmissionError"}), Kind::WorkerLost, "failed"),
        (json!({"phase": "Succeeded"}), Kind::WorkerLost, "without a result"),
    ];
    for (status, kind, part) in cases {
        let Verdict::Ended(end) = of_pod(&status) else { panic!("{status} has ended") };
        let fault = end.fault(&end.words);
        assert_eq!(fault.kind, kind, "{status}");
        assert!(fault.message.contains(part), "{}", fault.message);
    }
    let starved = ended("Error", 101);
    let Verdict::Ended(end) = of_pod(&starved) else { panic!("it has ended") };
    let words = ["memory allocation of 4096 bytes failed".to_owned()];
    assert_eq!(end.fault(&words).kind, Kind::OutOfMemory, "the log counts more than the status");
}

#[test]
fn jobs_and_removed_pods_end_attempts_too() {
    let failed = |reason: &str| json!({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "m"}]}});
    let running = [(json!({"status": {"phase": "Running"}}), true)];
    let complete = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    let removed = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let cases = [
        (known(failed("DeadlineExceeded"), &[]), Kind::Deadline, "active_deadline"),
        (known(failed("DeadlineExceeded"), &running), Kind::Deadline, "active_deadline"),
        (known(failed("BackoffLimitExceeded"), &[]), Kind::WorkerLost, "BackoffLimitExceeded: m"),
        (known(complete, &[]), Kind::WorkerLost, "without a result"),
        (known(removed, &[]), Kind::WorkerLost, "its Job was removed"),
        (known(json!({}), &running), Kind::WorkerLost, "pod-1 was removed"),
    ];
    for (known, kind, part) in cases {
        let Verdict::Ended(end) = judge(&known) else { panic!("{known:?} has ended") };
        let fault = end.fault(&[]);
        assert_eq!(fault.kind, kind);
        assert!(fault.message.contains(part), "{}", fault.message);
    }
}
