//! A node that runs the command of each Pod as a process of this machine, and reports what a kubelet reports.
//!
//! It gives the process the token that the Pod's volume asks for, in a file of its own, and keeps its output as the
//! Pod's log. The tests tell it what to do with the next Pods, and how to have their containers end.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gifthorse_tests::program::path_of;
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::{Cluster, NAMESPACE};
use crate::kubelet::Kubelet;

/// How often it looks.
const TICK: Duration = Duration::from_millis(50);
/// Its name.
const NAME: &str = "node-1";

/// What becomes of Pods that come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// They run.
    Run,
    /// No node can take them.
    Unschedulable,
    /// Their image cannot be fetched.
    NoImage,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    /// Pods whose container is to be ended, and the reason that is reported.
    ends: BTreeMap<String, &'static str>,
    ended: bool,
}

/// A running node. Its processes end when it is dropped.
pub(crate) struct Node {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    /// Joins the cluster.
    pub(crate) async fn join(cluster: &Cluster) -> Self {
        let logs = cluster.folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let kubelet = Kubelet::start(cluster.folder.path(), logs.clone());
        let nodes: Api<NodeObject> = Api::all(cluster.admin.clone());
        let node: NodeObject = serde_json::from_value(json!({"metadata": {"name": NAME}})).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        let status = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
        }});
        nodes.patch_status(NAME, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
        let shared = Shared { plan: Plan::Run, ends: BTreeMap::new(), ended: false };
        let shared = Arc::new(Mutex::new(shared));
        let config = cluster.folder.path().join("admin.json");
        let of_thread = Arc::clone(&shared);
        // A thread and a runtime of its own: tests wait for programs without letting others run.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let _kubelet = kubelet;
                let admin = crate::cluster::client(&config).await;
                Keeper { admin, logs, shared: of_thread, running: BTreeMap::new() }.run().await;
            });
        });
        Self { shared, thread: Some(thread) }
    }

    /// What becomes of Pods from now on, also of those that wait.
    pub(crate) fn plan(&self, plan: Plan) {
        self.shared.lock().unwrap().plan = plan;
    }

    /// Ends the container of a Pod by force, and reports this reason.
    pub(crate) fn end(&self, pod: &str, reason: &'static str) {
        self.shared.lock().unwrap().ends.insert(pod.to_owned(), reason);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Ok(mut shared) = self.shared.lock() {
            shared.ended = true;
        }
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Keeper {
    admin: Client,
    logs: PathBuf,
    shared: Arc<Mutex<Shared>>,
    /// By Pod.
    running: BTreeMap<String, Process>,
}

/// A container.
struct Process {
    child: Child,
    ended_for: Option<&'static str>,
    /// The end that is not reported yet.
    status: Option<ExitStatus>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Keeper {
    async fn run(mut self) {
        while !self.shared.lock().unwrap().ended {
            // While the API server is not there, processes run on, and what is to be reported waits.
            let _ = self.look().await;
            tokio::time::sleep(TICK).await;
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.admin.clone(), NAMESPACE)
    }

    async fn look(&mut self) -> kube::Result<()> {
        let ends = std::mem::take(&mut self.shared.lock().unwrap().ends);
        for (pod, reason) in ends {
            if let Some(process) = self.running.get_mut(&pod) {
                process.ended_for = Some(reason);
                process.child.kill().unwrap();
            }
        }
        let pods = self.pods().list(&ListParams::default()).await?.items;
        self.running.retain(|name, _| pods.iter().any(|pod| pod.name_any() == *name));
        for pod in pods {
            self.treat(&pod).await?;
        }
        Ok(())
    }

    async fn treat(&mut self, pod: &Pod) -> kube::Result<()> {
        let name = pod.name_any();
        if pod.metadata.deletion_timestamp.is_some() {
            self.running.remove(&name);
            return self.pods().delete(&name, &DeleteParams::default().grace_period(0)).await.map(drop);
        }
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        if let Some(process) = self.running.get_mut(&name) {
            if process.status.is_none() {
                process.status = process.child.try_wait().unwrap();
            }
            let Some(status) = process.status else { return Ok(()) };
            let ended_for = process.ended_for;
            self.report(&name, &self.end_of(&name, status, ended_for)).await?;
            self.running.remove(&name);
            return Ok(());
        }
        if phase != "Pending" {
            return Ok(());
        }
        let plan = self.shared.lock().unwrap().plan.clone();
        match plan {
            Plan::Run => self.start(pod).await,
            Plan::Unschedulable => {
                let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                       "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."});
                self.report(&name, &json!({"phase": "Pending", "conditions": [condition]})).await
            }
            Plan::NoImage => {
                let message = "no such image";
                let state = json!({"waiting": {"reason": "ErrImagePull", "message": message}});
                self.report(&name, &of_container("Pending", &state)).await
            }
        }
    }

    async fn start(&mut self, pod: &Pod) -> kube::Result<()> {
        let name = pod.name_any();
        let spec = pod.spec.as_ref().unwrap();
        if spec.node_name.is_none() {
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                                 "target": {"kind": "Node", "name": NAME}});
            let pods = self.pods();
            let _: Value =
                pods.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
        }
        let folder = self.logs.join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let container = &spec.containers[0];
        let mut arguments = container.args.clone().unwrap_or_default();
        if let Some((mount, token)) = self.token(pod).await? {
            let file = folder.join("token");
            std::fs::write(&file, token).unwrap();
            for argument in arguments.iter_mut().filter(|argument| **argument == mount) {
                *argument = file.display().to_string();
            }
        }
        let log = || File::options().create(true).append(true).open(self.log_of(&name)).unwrap();
        let mut command = Command::new(path_of("examples/gifthorse-test-worker"));
        for variable in container.env.iter().flatten() {
            command.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        command.env("TMPDIR", &folder).args(arguments);
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        let child = command.spawn().unwrap();
        self.running.insert(name.clone(), Process { child, ended_for: None, status: None });
        let running = json!({"running": {"startedAt": null}});
        self.report(&name, &of_container("Running", &running)).await
    }

    /// Where the Pod wants the token of its account, and the token.
    async fn token(&self, pod: &Pod) -> kube::Result<Option<(String, String)>> {
        let spec = pod.spec.as_ref().unwrap();
        for volume in spec.volumes.iter().flatten() {
            let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
            let mut tokens = sources.filter_map(|source| source.service_account_token.as_ref());
            if let Some(token) = tokens.next() {
                let mounts = spec.containers[0].volume_mounts.iter().flatten();
                let mount = mounts.into_iter().find(|mount| mount.name == volume.name).unwrap();
                let path = Path::new(&mount.mount_path).join(&token.path).display().to_string();
                let account = spec.service_account_name.as_deref().unwrap();
                let (name, uid) = (pod.name_any(), pod.uid().unwrap());
                let bound = Some((name.as_str(), uid.as_str()));
                let token = Cluster::token(&self.admin, account, token.audience.as_deref(), bound).await?;
                return Ok(Some((path, token)));
            }
        }
        Ok(None)
    }

    fn log_of(&self, pod: &str) -> PathBuf {
        self.logs.join(format!("{pod}.log"))
    }

    fn end_of(&self, pod: &str, status: ExitStatus, ended_for: Option<&str>) -> Value {
        let code = status.code().unwrap_or(137);
        let reason = ended_for.unwrap_or(if code == 0 { "Completed" } else { "Error" });
        let log = std::fs::read_to_string(self.log_of(pod)).unwrap_or_default();
        let message = if code == 0 { String::new() } else { log };
        let terminated = json!({"reason": reason, "exitCode": code, "message": message});
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        of_container(phase, &json!({"terminated": terminated}))
    }

    async fn report(&self, pod: &str, status: &Value) -> kube::Result<()> {
        let patch = Patch::Merge(json!({"status": status}));
        self.pods().patch_status(pod, &PatchParams::default(), &patch).await.map(drop)
    }
}

fn of_container(phase: &str, state: &Value) -> Value {
    let container = json!({"name": "worker", "image": "worker", "imageID": "worker", "ready": phase == "Running",
                           "restartCount": 0, "state": state});
    json!({"phase": phase, "containerStatuses": [container]})
}
