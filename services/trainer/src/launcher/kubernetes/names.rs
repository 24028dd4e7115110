//! Names and labels of Jobs, and how an attempt's Job is found again.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use serde::{Deserialize, Serialize};

use crate::launcher::Launch;

/// The label with a job's identifier.
pub(super) const JOB: &str = "gifthorse.dev/job";
/// The label with an attempt's name.
pub(super) const ATTEMPT: &str = "gifthorse.dev/attempt";
/// The label by which Kueue knows a Job's queue.
pub(super) const QUEUE: &str = "kueue.x-k8s.io/queue-name";
/// What all our Jobs and Pods have, and nothing else.
pub(super) const SELECTOR: &str =
    "app.kubernetes.io/managed-by=gifthorse-trainer,app.kubernetes.io/component=worker";
/// How the name of a Job begins.
const PREFIX: &str = "gifthorse-";

/// The name of an attempt's Job: the same however often it is asked for, and no other attempt's, as attempts are
/// counted and jobs are named by lot. An attempt's name is at most 53 characters long, so that the Job's fits the
/// label that its Pods get.
pub(super) fn job_name(attempt: &str) -> String {
    format!("{PREFIX}{attempt}")
}

/// The labels of an attempt's Job and Pod.
pub(super) fn labels(launch: &Launch) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "gifthorse"),
        ("app.kubernetes.io/component", "worker"),
        ("app.kubernetes.io/part-of", "gifthorse"),
        ("app.kubernetes.io/managed-by", "gifthorse-trainer"),
        (JOB, launch.job.as_str()),
        (ATTEMPT, &launch.name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// A label of an object.
pub(super) fn label<'a>(labels: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    labels?.get(key).map(String::as_str)
}

/// Whether a Job is this attempt's.
pub(super) fn is_of(job: &Job, launch: &Launch) -> bool {
    let labels = job.metadata.labels.as_ref();
    label(labels, ATTEMPT) == Some(&launch.name) && label(labels, JOB) == Some(launch.job.as_str())
}

/// How a Job is found again. One that is claimed and one that was made have the same: whoever looks finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobHandle {
    /// Where it is.
    pub(super) namespace: String,
    /// The Job's name.
    pub(super) job: String,
}

impl JobHandle {
    /// The handle of an attempt.
    pub(super) fn of(namespace: &str, attempt: &str) -> Self {
        Self { namespace: namespace.to_owned(), job: job_name(attempt) }
    }

    /// The text that is kept.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The handle in a text, where it is one of this launcher.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::is_object_name;

    #[test]
    fn names_are_names_of_kubernetes_and_labels_fit() {
        // What the queue makes: job-, sixteen digits, and the number of the attempt.
        let name = job_name(&format!("job-{}-{}", "0123456789abcdef", i64::MAX));
        assert!(is_object_name(&name) && name.len() <= 63, "{name}");
    }

    #[test]
    fn a_handle_is_found_again_and_others_are_not_taken_for_one() {
        let handle = JobHandle::of("lab", "job-1-2");
        assert_eq!(JobHandle::parse(&handle.text()), Some(handle));
        assert_eq!(JobHandle::parse("a process"), None);
    }
}
