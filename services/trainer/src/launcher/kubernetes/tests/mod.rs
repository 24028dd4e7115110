//! Jobs, what is made of their states, and the calls that are made, against a cluster of prepared answers.

mod answers;
mod attempts;
mod manifests;
mod tokens;
mod verdicts;

use std::time::Duration;

use crate::configuration::{KubernetesConfiguration, LauncherConfiguration, LauncherKind};
use crate::launcher::Launch;

/// An attempt that asks for nothing special.
fn launch() -> Launch {
    Launch {
        name: "job-0011-2".to_owned(),
        job: "job-0011".parse().unwrap(),
        memory_bytes: None,
        cores: None,
        gpus: 0,
        queue: String::new(),
        priority_class: String::new(),
    }
}

/// The least that must be configured.
fn settings() -> LauncherConfiguration {
    LauncherConfiguration {
        kind: LauncherKind::Kubernetes,
        stop_within: Duration::from_secs(7),
        kubernetes: KubernetesConfiguration {
            image: "registry/worker:1".to_owned(),
            trainer_url: "http://trainer:4703".to_owned(),
            service_account: Some("worker".to_owned()),
            ..KubernetesConfiguration::default()
        },
        ..LauncherConfiguration::default()
    }
}
