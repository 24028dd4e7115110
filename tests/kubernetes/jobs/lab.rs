//! A house whose trainer makes Jobs, in a cluster with a node.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gifthorse_api::v1;
use gifthorse_tests::house::{House, wait_until_serving};
use gifthorse_tests::program::Program;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

use super::support::{Jobs, house_with, jobs, trainer_settings};
use crate::cluster::{Cluster, NAMESPACE};
use crate::node::Node;

/// How long something may take in the cluster.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a worker has from its start to its lease: short, as what waits for a node must outlast it.
pub(super) const START_WITHIN: Duration = Duration::from_secs(4);

/// Everything that a job needs.
pub(super) struct Lab {
    // In the order in which they are to end.
    pub(super) house: House,
    pub(super) node: Node,
    pub(super) cluster: Cluster,
    pub(super) jobs: Jobs,
    kubeconfig: PathBuf,
}

impl Lab {
    /// Starts it all; the trainer has its rights in the cluster. Skipped loudly where there is no cluster to be had.
    pub(super) async fn start(wanted_for: &str, more: &[(&str, &str)]) -> Option<Self> {
        let lab = Self::start_without_rights(wanted_for, more).await?;
        lab.cluster.give_rights().await;
        Some(lab)
    }

    /// [`Lab::start`] with a trainer that may do nothing in the cluster.
    pub(super) async fn start_without_rights(wanted_for: &str, more: &[(&str, &str)]) -> Option<Self> {
        let cluster = Cluster::start(wanted_for).await?;
        let node = Node::join(&cluster).await;
        let house = house_with(&[("trainer", "launcher.kind", "none")]).await;
        let jobs = jobs(&house).await;
        let kubeconfig = cluster.trainer_kubeconfig().await;
        let mut lab = Self { house, node, cluster, jobs, kubeconfig };
        lab.restart_trainer(more).await;
        Some(lab)
    }

    /// Kills the trainer and starts it again at its address.
    pub(super) async fn restart_trainer(&mut self, more: &[(&str, &str)]) {
        self.house.trainer.signal("KILL");
        self.house.trainer.wait();
        let address = self.house.trainer.grpc.to_string();
        self.house.trainer = self.trainer(&address, more, "");
        wait_until_serving(&self.house.trainer).await;
    }

    /// A trainer of this house at an address, with a folder of its own where one is named; workers come to the first.
    pub(super) fn trainer(&self, address: &str, more: &[(&str, &str)], folder: &str) -> Program {
        let url = format!("http://{}", self.house.trainer.grpc);
        let start_within = format!("{}ms", START_WITHIN.as_millis());
        let own = [
            ("launcher.kind", "kubernetes"),
            ("launcher.workers", "8"),
            ("launcher.start_within", &start_within),
            ("launcher.kubernetes.image", "registry.test/worker:1"),
            ("launcher.kubernetes.trainer_url", &url),
            ("launcher.kubernetes.service_account", "worker"),
        ];
        let settings = trainer_settings(&self.house.folder.path().join("data"), &[&own, more].concat());
        let folder = self.house.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Program::start_in("trainer", address, &settings, &[("KUBECONFIG", &self.kubeconfig)], &folder)
    }

    /// The Jobs of a job, by the label that says so.
    pub(super) async fn jobs_of(&self, name: &str) -> Vec<Job> {
        let jobs: Api<Job> = Api::namespaced(self.cluster.admin.clone(), NAMESPACE);
        jobs.list(&of(name)).await.unwrap().items
    }

    /// The Pods of a job.
    pub(super) async fn pods_of(&self, name: &str) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.admin.clone(), NAMESPACE);
        pods.list(&of(name)).await.unwrap().items
    }

    /// Waits until nothing of a job is left in the cluster.
    pub(super) async fn until_gone(&self, name: &str) {
        let started = Instant::now();
        loop {
            let (jobs, pods) = (self.jobs_of(name).await, self.pods_of(name).await);
            if jobs.is_empty() && pods.is_empty() {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{name} is not cleared away: {jobs:?} {pods:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a job has one Pod, and gives it.
    pub(super) async fn pod_of(&self, name: &str) -> Pod {
        let started = Instant::now();
        loop {
            if let Some(pod) = self.pods_of(name).await.pop() {
                return pod;
            }
            assert!(started.elapsed() < PATIENCE, "{name} gets no Pod: {}", self.house.trainer.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn of(name: &str) -> ListParams {
    let id = name.strip_prefix("pruningJobs/").unwrap();
    ListParams::default().labels(&format!("gifthorse.dev/job={id}"))
}

/// Whether a job waits, and says for this.
pub(super) fn waits_for(job: &v1::PruningJob, kind: v1::job_fault::Kind, part: &str) -> bool {
    let shown = job.fault.as_ref();
    job.state() == v1::pruning_job::State::Queued
        && shown.is_some_and(|fault| fault.kind() == kind && fault.message.contains(part))
}
