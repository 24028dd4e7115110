//! Workers as Jobs of a Kubernetes cluster.
//!
//! [`manifest`] says what a Job looks like and [`names`] what it is called; [`follow`] keeps a [`picture`] of what the
//! cluster says, of which [`verdict`] makes what the queue understands. [`credentials`] knows a worker by its token.
//!
//! One attempt is one Job, by name: whoever claims the attempt again finds the Job that is there. Workers live on
//! without a trainer, and every trainer can look after every Job, so none is owned by anybody. While the API server
//! does not answer, or is not followed, nothing follows from what is not known: claims are renewed, and leases, which
//! workers renew with the trainer alone, go on.

mod credentials;
mod error;
mod follow;
mod manifest;
mod names;
mod picture;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gifthorse_service::{OnError, Tasks};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::{Api, Client, Config};

pub(crate) use credentials::{Credentials, CredentialsError};

use super::{Ending, Launch, Launcher, NotLaunched, Observed};
use crate::configuration::{LauncherConfiguration, given};
use error::{Call, KubernetesError, root_cause};
use follow::{follow, locked};
use manifest::{Blueprint, CONTAINER};
use names::{JobHandle, is_of};
use picture::{Known, Picture};
use verdict::{End, Verdict, judge, vanished};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Lines of a worker's log that are fetched when it has ended, and their bytes.
const LINES: i64 = 200;
const BYTES: i64 = 64 << 10;
/// Jobs that are remembered as having been there.
const REMEMBERED: usize = 10_000;

/// Makes Jobs.
pub(crate) struct Jobs {
    client: Client,
    blueprint: Blueprint,
    picture: Arc<Mutex<Picture>>,
    /// Names of Jobs that were there: when one of them is not there any more, its worker has ended.
    known: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jobs").field("namespace", &self.blueprint.namespace).finish_non_exhaustive()
    }
}

impl Jobs {
    /// Makes Jobs as configured for a store that workers find at `store`; does not wait for the cluster to answer.
    pub(crate) async fn new(
        settings: &LauncherConfiguration,
        store: String,
    ) -> Result<Self, KubernetesError> {
        let config = Config::infer().await;
        let mut config = config.map_err(|error| KubernetesError::NoCluster(error.to_string()))?;
        config.connect_timeout = Some(CONNECT);
        let namespace = given(settings.kubernetes.namespace.as_ref()).map(str::to_owned);
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config);
        let client = client.map_err(|error| KubernetesError::NoCluster(root_cause(&error)))?;
        Ok(Self::with(client, namespace, settings, store))
    }

    fn with(client: Client, namespace: String, settings: &LauncherConfiguration, store: String) -> Self {
        let kubernetes = settings.kubernetes.clone();
        let blueprint =
            Blueprint { settings: kubernetes, namespace, store, stop_within: settings.stop_within };
        Self { client, blueprint, picture: Arc::default(), known: Mutex::default() }
    }

    /// Knows workers by their tokens, where that is configured.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let settings = &self.blueprint.settings;
        let account = given(settings.service_account.as_ref()).filter(|_| settings.check_tokens)?;
        let audience = settings.service_account_audience.clone();
        Some(Credentials::new(self.client.clone(), &self.blueprint.namespace, account, audience))
    }

    /// Starts to follow what happens in the cluster.
    pub(crate) fn start(&self, tasks: &Tasks) {
        let namespace = &self.blueprint.namespace;
        let (jobs, pods) = (self.jobs(), self.pods());
        let (picture, place) = (Arc::clone(&self.picture), namespace.clone());
        tasks.spawn("follow jobs", OnError::Shutdown, |stop| follow(jobs, place, picture, stop));
        let (picture, place) = (Arc::clone(&self.picture), namespace.clone());
        tasks.spawn("follow pods", OnError::Shutdown, |stop| follow(pods, place, picture, stop));
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.blueprint.namespace)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.blueprint.namespace)
    }

    fn call(&self, verb: &'static str, resource: &'static str) -> Call {
        Call::within(&self.blueprint.namespace, verb, resource)
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, name: &str) {
        let mut known = self.known();
        if known.len() >= REMEMBERED && !known.contains(name) {
            // Which one is of no matter: those in use are remembered again at the next look.
            known.pop_first();
        }
        known.insert(name.to_owned());
    }

    /// Makes the attempt's Job, or finds it made.
    async fn make(&self, launch: &Launch) -> Result<(), KubernetesError> {
        let job = self.blueprint.job(launch);
        let name = job.metadata.name.clone().unwrap_or_default();
        let create = self.call("create", "jobs.batch");
        let jobs = self.jobs();
        let made = match create.make(jobs.create(&PostParams::default(), &job)).await {
            Ok(made) => made,
            Err(refused @ KubernetesError::Refused { .. }) => {
                let found = self.find(&name).await?.ok_or(refused)?;
                if !is_of(&found, launch) {
                    return Err(KubernetesError::Taken(name));
                }
                if found.metadata.deletion_timestamp.is_some() {
                    return Err(KubernetesError::BeingRemoved(name));
                }
                found
            }
            Err(error) => return Err(error),
        };
        locked(&self.picture).put_job(made);
        self.remember(&name);
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<Option<Job>, KubernetesError> {
        self.call("get", "jobs.batch").make(self.jobs().get_opt(name)).await
    }

    /// What the cluster says of a Job that was not heard of; none when it is not there.
    async fn look_up(&self, name: &str) -> Result<Option<Known>, KubernetesError> {
        let Some(job) = self.find(name).await? else { return Ok(None) };
        let pods = locked(&self.picture).pods_of(name);
        Ok(Some(Known { job: Arc::new(job), pods }))
    }

    /// The end of an attempt, with the last lines of its worker.
    async fn ending(&self, end: &End) -> Ending {
        let mut log = end.words.clone();
        if let Some(pod) = &end.pod {
            let wanted = LogParams {
                container: Some(CONTAINER.to_owned()),
                tail_lines: Some(LINES),
                limit_bytes: Some(BYTES),
                ..LogParams::default()
            };
            match self.call("get", "pods/log").make(self.pods().logs(pod, &wanted)).await {
                Ok(text) => log = text.lines().map(str::to_owned).collect(),
                Err(error) => tracing::warn!(%pod, %error, "log of a worker not fetched"),
            }
        }
        log.retain(|line| !line.trim().is_empty());
        Ending { fault: end.fault(&log), log }
    }
}

#[tonic::async_trait]
impl Launcher for Jobs {
    fn outlives_trainers(&self) -> bool {
        true
    }

    fn claim(&self, name: &str) -> String {
        JobHandle::of(&self.blueprint.namespace, name).text()
    }

    async fn launch(&self, launch: &Launch) -> Result<String, NotLaunched> {
        self.make(launch).await.map_err(|error| error.not_launched())?;
        Ok(self.claim(&launch.name))
    }

    async fn observe(&self, handle: &str) -> Observed {
        let parsed = JobHandle::parse(handle).filter(|handle| handle.namespace == self.blueprint.namespace);
        let Some(JobHandle { job: name, .. }) = parsed else { return Observed::Elsewhere };
        let is_followed = locked(&self.picture).is_followed();
        let remembered = locked(&self.picture).find(&name);
        let known = match remembered {
            Some(known) => known,
            None if !is_followed => return Observed::Unknown,
            None => match self.look_up(&name).await {
                Ok(Some(known)) => known,
                Ok(None) if self.known().remove(&name) => return Observed::Ended(vanished().into()),
                // Whoever claimed it is about to make it, or has gone before that.
                Ok(None) => return Observed::Elsewhere,
                Err(error) => {
                    tracing::debug!(job = name, %error, "job not looked up");
                    return Observed::Unknown;
                }
            },
        };
        self.remember(&name);
        match judge(&known) {
            Verdict::Ended(end) => {
                let ending = self.ending(&end).await;
                self.known().remove(&name);
                if end.is_lost() {
                    self.stop(handle).await;
                }
                Observed::Ended(ending)
            }
            _ if !is_followed => Observed::Unknown,
            Verdict::Waits(waits) => Observed::Waits(waits),
            Verdict::Runs => Observed::Runs,
        }
    }

    async fn stop(&self, handle: &str) {
        let Some(JobHandle { job: name, .. }) = JobHandle::parse(handle) else { return };
        let delete = self.call("delete", "jobs.batch");
        let gone = match delete.make(self.jobs().delete(&name, &DeleteParams::background())).await {
            Ok(_) => Ok(()),
            Err(refused @ KubernetesError::Refused { .. }) => match self.find(&name).await {
                Ok(None) => Ok(()),
                _ => Err(refused),
            },
            Err(error) => Err(error),
        };
        match gone {
            Ok(()) => locked(&self.picture).remove_job(&name),
            Err(error) => tracing::warn!(job = name, %error, "job not removed, trying again"),
        }
    }
}
