//! The trainer's configuration.

mod kubernetes;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gifthorse_service::configuration::Problem;
use gifthorse_service::{
    ByteSize, Configuration, Secret, ServiceConfiguration, StoreConfiguration, Validate,
};
use serde::{Deserialize, Serialize};

pub(crate) use kubernetes::{KubernetesConfiguration, TolerationConfiguration};
pub(crate) use kubernetes::{given, is_object_name};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerConfiguration {
    /// What every service has.
    pub service: ServiceConfiguration,
    /// Where artefacts are.
    pub store: StoreConfiguration,
    /// Where jobs are.
    pub database: DatabaseConfiguration,
    /// How jobs are queued, leased and kept.
    pub jobs: JobsConfiguration,
    /// How workers are started.
    pub launcher: LauncherConfiguration,
}

/// Where the trainer service listens unless told otherwise.
pub(crate) const PORT: u16 = 4703;

impl Default for TrainerConfiguration {
    fn default() -> Self {
        Self {
            service: ServiceConfiguration::on_port(PORT),
            store: StoreConfiguration::default(),
            database: DatabaseConfiguration::default(),
            jobs: JobsConfiguration::default(),
            launcher: LauncherConfiguration::default(),
        }
    }
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfiguration {
    /// `sqlite:///PATH` or a path for one trainer, `postgres://USER:PASSWORD@HOST/DATABASE` for several; unset:
    /// `trainer.sqlite` in the folder of the store.
    pub url: Option<Secret>,
    /// Connections kept at most.
    pub connections: NonZeroUsize,
    /// How long a request waits for a connection, or for another writer.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
}

impl Default for DatabaseConfiguration {
    fn default() -> Self {
        const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        Self { url: None, connections: CONNECTIONS, patience: Duration::from_secs(5) }
    }
}

/// `[jobs]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobsConfiguration {
    /// A worker that is not heard of for so long has lost its job.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// Jobs that may wait; more are refused with `QUEUE_FULL`.
    pub queued: NonZeroUsize,
    /// How often a failed attempt is repeated when the job does not say.
    pub retries: u32,
    /// Pause before the first repetition; it doubles with each.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// The longest pause before a repetition.
    #[serde(with = "humantime_serde")]
    pub backoff_limit: Duration,
    /// How long an ended job is kept when it does not say.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    /// Events of a job that are kept; older ones go.
    pub events: NonZeroUsize,
    /// Lines of a job's log that are kept; older ones go.
    pub log_lines: NonZeroUsize,
    /// How often leases, deadlines and ages are looked at.
    #[serde(with = "humantime_serde")]
    pub housekeeping: Duration,
}

impl Default for JobsConfiguration {
    fn default() -> Self {
        const QUEUED: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
        const EVENTS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
        const LINES: NonZeroUsize = NonZeroUsize::new(5000).unwrap();
        const DAY: Duration = Duration::from_hours(24);
        Self {
            lease: Duration::from_secs(30),
            queued: QUEUED,
            retries: 3,
            backoff: Duration::from_secs(2),
            backoff_limit: Duration::from_mins(2),
            keep: DAY * 30,
            events: EVENTS,
            log_lines: LINES,
            housekeeping: Duration::from_secs(1),
        }
    }
}

/// Who starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LauncherKind {
    /// This trainer, as child processes.
    Processes,
    /// This trainer, as Jobs of a Kubernetes cluster.
    Kubernetes,
    /// Somebody else: workers come and ask for jobs.
    None,
}

/// `[launcher]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LauncherConfiguration {
    /// Who starts workers.
    pub kind: LauncherKind,
    /// The worker's program; unset: `gifthorse-worker` beside this one.
    pub program: Option<PathBuf>,
    /// Workers that run at once: of this trainer, or with Kubernetes of all trainers on the database, about.
    pub workers: NonZeroUsize,
    /// Memory that a worker may map when its job does not say, and the most that a job may ask for; unset: no
    /// limit.
    pub memory: Option<ByteSize>,
    /// How long a worker may take from its start to its lease; waiting for a node does not count.
    #[serde(with = "humantime_serde")]
    pub start_within: Duration,
    /// How long a worker whose job is cancelled may take to stop before it is killed.
    #[serde(with = "humantime_serde")]
    pub stop_within: Duration,
    /// The Jobs of the kind `kubernetes`.
    pub kubernetes: KubernetesConfiguration,
}

impl Default for LauncherConfiguration {
    fn default() -> Self {
        Self {
            kind: LauncherKind::Processes,
            program: None,
            workers: NonZeroUsize::MIN,
            memory: None,
            start_within: Duration::from_mins(1),
            stop_within: Duration::from_secs(10),
            kubernetes: KubernetesConfiguration::default(),
        }
    }
}

impl Validate for TrainerConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))?;
        self.store.validate().map_err(|problem| problem.within("store"))?;
        if self.database.url.as_ref().is_some_and(|url| url.reveal().is_empty()) {
            let message = "is empty: give sqlite:///PATH or postgres://HOST/DATABASE, or leave it out";
            return Err(Problem::new("url", message).within("database"));
        }
        if self.database.url.is_none() && crate::is_bucket(&self.store.url) {
            let message = "is unset, and the store is a bucket, which holds no database: give postgres://HOST/DATABASE, or \
                           sqlite:///PATH for one trainer";
            return Err(Problem::new("url", message).within("database"));
        }
        let durations = [
            ("patience", "database", self.database.patience),
            ("lease", "jobs", self.jobs.lease),
            ("housekeeping", "jobs", self.jobs.housekeeping),
            ("start_within", "launcher", self.launcher.start_within),
        ];
        for (key, section, duration) in durations {
            if duration < Duration::from_millis(10) {
                let message = format!("{duration:?} is too short: use 10ms or more");
                return Err(Problem::new(key, message).within(section));
            }
        }
        if self.launcher.kind == LauncherKind::Kubernetes {
            let checked = self.launcher.kubernetes.validate();
            checked.map_err(|problem| problem.within("kubernetes").within("launcher"))?;
        }
        Ok(())
    }
}

impl Configuration for TrainerConfiguration {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}
