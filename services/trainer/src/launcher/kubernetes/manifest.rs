//! The Job that runs one attempt.
//!
//! It makes one Pod, once: repetitions belong to the queue, which knows what an attempt's end means. No owner is
//! named: a Job outlives every Pod of the trainer, and goes by itself an hour after its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, LocalObjectReference,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource,
    ResourceRequirements, SeccompProfile, SecretEnvSource, SecurityContext, ServiceAccountTokenProjection,
    Toleration, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::names::{QUEUE, job_name, labels};
use crate::configuration::{KubernetesConfiguration, TolerationConfiguration, given};
use crate::launcher::Launch;

/// The container's name.
pub(super) const CONTAINER: &str = "worker";
/// The user of the images.
const USER: i64 = 10001;
/// Where the worker's token is.
const TOKEN_FOLDER: &str = "/var/run/secrets/gifthorse.dev";
const TOKEN_FILE: &str = "token";
/// How long a token is good; the kubelet renews it before that.
const TOKEN_SECONDS: i64 = 600;
/// Where a worker may write.
const SCRATCH: &str = "/tmp";

/// What all Jobs of a trainer have in common.
#[derive(Debug, Clone)]
pub(super) struct Blueprint {
    /// The configuration.
    pub(super) settings: KubernetesConfiguration,
    /// Where Jobs are made.
    pub(super) namespace: String,
    /// The folder of the store, as workers see it.
    pub(super) store: String,
    /// How long a worker that is told to end may take.
    pub(super) stop_within: Duration,
}

impl Blueprint {
    /// The Job of an attempt.
    pub(super) fn job(&self, launch: &Launch) -> Job {
        let mut labels = labels(launch);
        let pod_labels = labels.clone();
        let queue = named(&launch.queue).or_else(|| given(self.settings.queue.as_ref()));
        if let Some(queue) = queue {
            labels.insert(QUEUE.to_owned(), queue.to_owned());
        }
        let template = PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(pod_labels), ..ObjectMeta::default() }),
            spec: Some(self.pod(launch)),
        };
        Job {
            metadata: ObjectMeta {
                name: Some(job_name(&launch.name)),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                active_deadline_seconds: Some(seconds(self.settings.active_deadline)),
                backoff_limit: Some(0),
                completions: Some(1),
                parallelism: Some(1),
                pod_replacement_policy: Some("Failed".to_owned()),
                // Kueue lets it go on; without a queue nobody would.
                suspend: queue.map(|_| true),
                template,
                ttl_seconds_after_finished: i32::try_from(seconds(self.settings.ttl_after_finished)).ok(),
                ..JobSpec::default()
            }),
            status: None,
        }
    }

    fn pod(&self, launch: &Launch) -> PodSpec {
        let settings = &self.settings;
        let reference = |name: &String| LocalObjectReference { name: name.clone() };
        let priority = named(&launch.priority_class).or_else(|| given(settings.priority_class.as_ref()));
        let mut pod = PodSpec {
            automount_service_account_token: Some(false),
            containers: vec![self.container(launch)],
            enable_service_links: Some(false),
            image_pull_secrets: some(settings.image_pull_secrets.iter().map(reference).collect()),
            node_selector: Some(settings.node_selector.clone()).filter(|labels| !labels.is_empty()),
            priority_class_name: priority.map(str::to_owned),
            restart_policy: Some("Never".to_owned()),
            runtime_class_name: given(settings.runtime_class.as_ref()).map(str::to_owned),
            security_context: Some(PodSecurityContext {
                fs_group: Some(USER),
                run_as_group: Some(USER),
                run_as_non_root: Some(true),
                run_as_user: Some(USER),
                seccomp_profile: Some(seccomp()),
                ..PodSecurityContext::default()
            }),
            service_account_name: given(settings.service_account.as_ref()).map(str::to_owned),
            // It was asked to stop before its Job is removed; the first process of a container ignores the signal.
            termination_grace_period_seconds: Some(seconds(self.stop_within)),
            tolerations: some(settings.tolerations.iter().map(toleration).collect()),
            ..PodSpec::default()
        };
        let volumes = pod.volumes.get_or_insert_default();
        volumes.push(Volume {
            name: "scratch".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
        if self.has_token() {
            volumes.push(self.token_volume());
        }
        if let Some(claim) = given(settings.volume_claim.as_ref()) {
            volumes.push(Volume {
                name: "store".to_owned(),
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: claim.to_owned(),
                    read_only: None,
                }),
                ..Volume::default()
            });
        }
        pod
    }

    fn container(&self, launch: &Launch) -> Container {
        let settings = &self.settings;
        let mut arguments = vec![
            "--trainer".to_owned(),
            settings.trainer_url.clone(),
            "--job".to_owned(),
            launch.resource_name(),
            "--name".to_owned(),
            launch.name.clone(),
        ];
        let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
            name: name.to_owned(),
            mount_path: path.to_owned(),
            read_only,
            ..VolumeMount::default()
        };
        let mut mounts = vec![mount("scratch", SCRATCH, None)];
        if self.has_token() {
            arguments.push("--token-file".to_owned());
            arguments.push(Path::new(TOKEN_FOLDER).join(TOKEN_FILE).to_string_lossy().into_owned());
            mounts.push(mount("token", TOKEN_FOLDER, Some(true)));
        }
        if given(settings.volume_claim.as_ref()).is_some() {
            mounts.push(mount("store", &self.store, None));
        }
        // What the process launcher sets, for the same reason: threads that sleep while they wait.
        let variables = [("OMP_WAIT_POLICY", "PASSIVE"), ("TMPDIR", SCRATCH)];
        let secret = |name: &String| EnvFromSource {
            secret_ref: Some(SecretEnvSource { name: name.clone(), optional: None }),
            ..EnvFromSource::default()
        };
        Container {
            name: CONTAINER.to_owned(),
            image: Some(settings.image.clone()),
            args: Some(arguments),
            env: Some(variables.map(variable).into()),
            env_from: some(settings.environment_from.iter().map(secret).collect()),
            resources: Some(self.resources(launch)),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
                read_only_root_filesystem: Some(true),
                run_as_non_root: Some(true),
                seccomp_profile: Some(seccomp()),
                ..SecurityContext::default()
            }),
            // The last lines stay with the Pod's status, where the log itself cannot be had any more.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(mounts),
            ..Container::default()
        }
    }

    fn has_token(&self) -> bool {
        given(self.settings.service_account.as_ref()).is_some()
    }

    fn token_volume(&self) -> Volume {
        let token = ServiceAccountTokenProjection {
            audience: Some(self.settings.service_account_audience.clone()),
            expiration_seconds: Some(TOKEN_SECONDS),
            path: TOKEN_FILE.to_owned(),
        };
        let source = VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() };
        Volume {
            name: "token".to_owned(),
            projected: Some(ProjectedVolumeSource { default_mode: Some(0o440), sources: Some(vec![source]) }),
            ..Volume::default()
        }
    }

    /// Memory is both asked for and the limit, so that a worker is not the first to go when a node runs short; of
    /// processors a worker takes what is free.
    fn resources(&self, launch: &Launch) -> ResourceRequirements {
        let mut requests = BTreeMap::new();
        let mut limits = BTreeMap::new();
        let cores = launch.cores.map(|cores| format!("{}m", (cores * 1000.0).ceil()));
        if let Some(cpu) = cores.or_else(|| given(self.settings.cpu.as_ref()).map(str::to_owned)) {
            requests.insert("cpu".to_owned(), Quantity(cpu));
        }
        let memory = launch.memory_bytes.map(|bytes| bytes.to_string());
        if let Some(memory) = memory.or_else(|| given(self.settings.memory.as_ref()).map(str::to_owned)) {
            requests.insert("memory".to_owned(), Quantity(memory.clone()));
            limits.insert("memory".to_owned(), Quantity(memory));
        }
        if launch.gpus > 0 {
            let count = Quantity(launch.gpus.to_string());
            requests.insert(self.settings.gpu_resource.clone(), count.clone());
            limits.insert(self.settings.gpu_resource.clone(), count);
        }
        let set = |amounts: BTreeMap<String, Quantity>| Some(amounts).filter(|amounts| !amounts.is_empty());
        ResourceRequirements { claims: None, limits: set(limits), requests: set(requests) }
    }
}

fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs().max(1)).unwrap_or(i64::MAX)
}

fn seccomp() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn variable((name, value): (&str, &str)) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

fn toleration(set: &TolerationConfiguration) -> Toleration {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Toleration {
        effect: text(&set.effect),
        key: text(&set.key),
        operator: text(&set.operator),
        toleration_seconds: None,
        value: text(&set.value),
    }
}
