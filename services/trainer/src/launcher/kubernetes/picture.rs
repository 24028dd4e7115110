//! What the trainer knows of its Jobs and Pods from the last it heard.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Objects of each kind that are kept at most; what is left out is asked for by name.
const MOST: usize = 5000;
/// The label by which the Job controller says whose a Pod is.
const JOB_NAME: &str = "job-name";

/// Our Jobs and their Pods.
#[derive(Debug, Default)]
pub(super) struct Picture {
    jobs: BTreeMap<String, Arc<Job>>,
    /// By Job and name.
    pods: BTreeMap<String, BTreeMap<String, Seen>>,
    /// Whether Jobs, and Pods, are being followed without a gap.
    pub(super) jobs_followed: bool,
    pub(super) pods_followed: bool,
}

/// A Pod as it was seen last.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The Pod.
    pub(super) pod: Arc<Pod>,
    /// Whether it was removed since.
    pub(super) gone: bool,
}

/// What is known of one Job.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The Job.
    pub(super) job: Arc<Job>,
    /// Its Pods, of which there should be one.
    pub(super) pods: Vec<Seen>,
}

impl Picture {
    /// What is known of the Job of this name.
    pub(super) fn find(&self, name: &str) -> Option<Known> {
        let job = Arc::clone(self.jobs.get(name)?);
        Some(Known { job, pods: self.pods_of(name) })
    }

    /// The Pods of the Job of this name.
    pub(super) fn pods_of(&self, name: &str) -> Vec<Seen> {
        self.pods.get(name).map(|pods| pods.values().cloned().collect()).unwrap_or_default()
    }

    /// Whether nothing that happens is missed.
    pub(super) const fn is_followed(&self) -> bool {
        self.jobs_followed && self.pods_followed
    }

    /// Takes note of a Job.
    pub(super) fn put_job(&mut self, mut job: Job) {
        let name = name_of(&mut job.metadata);
        if self.jobs.contains_key(&name) || self.jobs.len() < MOST {
            self.jobs.insert(name, Arc::new(job));
        }
    }

    /// A Job is gone, and with it all that was known of its Pods.
    pub(super) fn remove_job(&mut self, name: &str) {
        self.jobs.remove(name);
        self.pods.remove(name);
    }

    /// These are all Jobs that there are.
    pub(super) fn replace_jobs(&mut self, jobs: Vec<Job>) {
        self.jobs.clear();
        for job in jobs {
            self.put_job(job);
        }
        let jobs = &self.jobs;
        self.pods.retain(|name, _| jobs.contains_key(name));
    }

    /// Takes note of a Pod.
    pub(super) fn put_pod(&mut self, mut pod: Pod) {
        let Some(job) = job_of(&pod) else { return };
        let name = name_of(&mut pod.metadata);
        if self.pods.len() < MOST || self.pods.contains_key(&job) {
            let seen = Seen { pod: Arc::new(pod), gone: false };
            self.pods.entry(job).or_default().insert(name, seen);
        }
    }

    /// A Pod is gone; how it was last is kept as long as its Job is there.
    pub(super) fn remove_pod(&mut self, pod: Pod) {
        let Some(job) = job_of(&pod) else { return };
        self.put_pod(pod.clone());
        if !self.jobs.contains_key(&job) {
            self.pods.remove(&job);
            return;
        }
        let name = pod.metadata.name.unwrap_or_default();
        if let Some(seen) = self.pods.get_mut(&job).and_then(|pods| pods.get_mut(&name)) {
            seen.gone = true;
        }
    }

    /// These are all Pods that there are.
    pub(super) fn replace_pods(&mut self, pods: Vec<Pod>) {
        for seen in self.pods.values_mut().flat_map(BTreeMap::values_mut) {
            seen.gone = true;
        }
        for pod in pods {
            self.put_pod(pod);
        }
        let jobs = &self.jobs;
        // Pods may be listed before their Jobs are: those that live are kept.
        self.pods.retain(|job, pods| jobs.contains_key(job) || pods.values().any(|seen| !seen.gone));
    }
}

/// The object's name; who manages which of its fields is of no use here, and large.
fn name_of(metadata: &mut ObjectMeta) -> String {
    metadata.managed_fields = None;
    metadata.name.clone().unwrap_or_default()
}

fn job_of(pod: &Pod) -> Option<String> {
    let labels = pod.metadata.labels.as_ref()?;
    labels.get(JOB_NAME).or_else(|| labels.get("batch.kubernetes.io/job-name")).cloned()
}
