//! What the states of a Job and its Pods say about an attempt.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::job_fault::Kind;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};

use super::manifest::CONTAINER;
use super::names::{QUEUE, label};
use super::picture::{Known, Seen};
use crate::launcher::ending::fault_of;
use crate::queue::Fault;

/// Why a container does not start, in Kubernetes' words, where somebody must do something about it.
const TROUBLES: [&str; 8] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// Characters of a message of Kubernetes that are shown.
const MESSAGE: usize = 500;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its worker does not run yet.
    Waits(Option<Fault>),
    /// Its worker runs.
    Runs,
    /// Its worker is gone.
    Ended(End),
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    how: How,
    /// The Pod that has its log; none where that is gone.
    pub(super) pod: Option<String>,
    /// What the node kept of its log.
    pub(super) words: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Exited(i32),
    OutOfMemory,
    Late,
    Lost(String),
}

impl End {
    fn lost(why: impl Into<String>) -> Self {
        Self { how: How::Lost(why.into()), pod: None, words: Vec::new() }
    }

    /// Whether nobody has seen it end, so that something of it may still be there.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.how, How::Lost(_))
    }

    /// The fault of an attempt that ended like this and had not said how it went.
    pub(super) fn fault(&self, words: &[String]) -> Fault {
        match &self.how {
            How::Exited(code) => fault_of(ExitStatus::from_raw((code & 0xff) << 8), words, false),
            How::OutOfMemory => {
                let message = "the worker used more memory than it may: the node ended it";
                Fault::new(Kind::OutOfMemory, ErrorCode::WorkerOutOfMemory, message)
            }
            How::Late => {
                let message = "the worker did not end within launcher.kubernetes.active_deadline";
                Fault::new(Kind::Deadline, ErrorCode::DeadlineExceeded, message)
            }
            How::Lost(why) => {
                Fault::new(Kind::WorkerLost, ErrorCode::WorkerLost, format!("the worker is lost: {why}"))
            }
        }
    }
}

/// The fault of an attempt whose Job is no longer there.
pub(super) fn vanished() -> Fault {
    End::lost("its Job was removed").fault(&[])
}

/// Looks at a Job and its Pods. What says that an attempt has ended is final; everything else counts for the moment.
pub(super) fn judge(known: &Known) -> Verdict {
    let job = &known.job;
    if job.metadata.deletion_timestamp.is_some() {
        return Verdict::Ended(End::lost("its Job was removed"));
    }
    // A Job that is late has its Pods killed, which says nothing of its own.
    if let Some((reason, _)) = condition(job, "Failed")
        && reason == "DeadlineExceeded"
    {
        return Verdict::Ended(End { how: How::Late, ..End::lost("") });
    }
    if let Some(end) = known.pods.iter().find_map(end_of) {
        return Verdict::Ended(end);
    }
    if let Some((reason, message)) = condition(job, "Failed") {
        return Verdict::Ended(End::lost(format!("{reason}: {message}")));
    }
    if condition(job, "Complete").is_some() {
        return Verdict::Ended(End { how: How::Exited(0), ..End::lost("") });
    }
    if job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
        let queue = label(job.metadata.labels.as_ref(), QUEUE).unwrap_or("nobody's queue");
        let message = format!("its Job is suspended until the queue {queue} admits it");
        return Verdict::Waits(Some(Fault::waits(Kind::Unschedulable, message)));
    }
    let pods: Vec<&Pod> = known.pods.iter().filter(|seen| !seen.gone).map(|seen| &*seen.pod).collect();
    if pods.iter().any(|pod| runs(pod)) {
        return Verdict::Runs;
    }
    Verdict::Waits(pods.iter().find_map(|pod| waits_for(pod)))
}

/// Reason and message of a condition of a Job that holds.
fn condition<'a>(job: &'a Job, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let holds = conditions.iter().find(|one| one.type_ == kind && one.status == "True")?;
    Some((holds.reason.as_deref().unwrap_or_default(), holds.message.as_deref().unwrap_or_default()))
}

/// How a Pod ended, where it did.
fn end_of(seen: &Seen) -> Option<End> {
    let pod = &*seen.pod;
    let name = pod.metadata.name.clone().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref().unwrap_or_default();
    let message: String = status.message.as_deref().unwrap_or_default().chars().take(MESSAGE).collect();
    let log = (!seen.gone).then(|| name.clone());
    if reason == "Evicted" {
        return Some(End { pod: log, ..End::lost(format!("its Pod was evicted ({message})")) });
    }
    if let Some(terminated) = container(status).and_then(|status| status.state.as_ref()?.terminated.as_ref())
    {
        let words = terminated.message.as_deref().unwrap_or_default().lines().map(str::to_owned).collect();
        let how = match terminated.reason.as_deref() {
            Some("OOMKilled") => How::OutOfMemory,
            // What the container engine could not find out.
            Some("ContainerStatusUnknown") => How::Lost("its node cannot say how it ended".to_owned()),
            _ => How::Exited(terminated.exit_code),
        };
        return Some(End { how, pod: log, words });
    }
    if matches!(reason, "NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated")
        || status.phase.as_deref() == Some("Unknown")
    {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("its node");
        return Some(End::lost(format!("{node} does not answer or shuts down ({reason} {message})")));
    }
    match status.phase.as_deref() {
        Some("Failed") => Some(End { pod: log, ..End::lost(format!("its Pod failed ({reason} {message})")) }),
        Some("Succeeded") => Some(End { how: How::Exited(0), pod: log, words: Vec::new() }),
        Some("Running") if seen.gone => Some(End::lost(format!("its Pod {name} was removed"))),
        _ => None,
    }
}

fn container(status: &PodStatus) -> Option<&ContainerStatus> {
    status.container_statuses.as_ref()?.iter().find(|container| container.name == CONTAINER)
}

fn runs(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    status.phase.as_deref() == Some("Running")
        && container(status)
            .is_none_or(|container| container.state.as_ref().is_none_or(|state| state.waiting.is_none()))
}

/// What keeps a Pod from running, where somebody should know.
fn waits_for(pod: &Pod) -> Option<Fault> {
    let status = pod.status.as_ref()?;
    let shown = |text: Option<&str>| text.unwrap_or_default().chars().take(MESSAGE).collect::<String>();
    let waiting = container(status).and_then(|container| container.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = format!("{reason}: {}", shown(waiting.message.as_deref()));
        return TROUBLES.contains(&reason).then(|| Fault::waits(Kind::Launch, message));
    }
    let conditions = status.conditions.as_ref()?;
    let unscheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
    let reason = unscheduled.reason.as_deref().unwrap_or("Unschedulable");
    let message = format!("{reason}: {}", shown(unscheduled.message.as_deref()));
    Some(Fault::waits(Kind::Unschedulable, message))
}
