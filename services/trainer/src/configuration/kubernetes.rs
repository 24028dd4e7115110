//! `[launcher.kubernetes]`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gifthorse_service::configuration::Problem;
use serde::{Deserialize, Serialize};

/// `[launcher.kubernetes]`: the Jobs that this trainer makes of its jobs. A text that is empty counts as unset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesConfiguration {
    /// Where Jobs are made; unset: the trainer's own namespace, or that of its kubeconfig.
    pub namespace: Option<String>,
    /// The worker's image, whose entrypoint is the worker.
    pub image: String,
    /// Secrets to fetch the image with.
    pub image_pull_secrets: Vec<String>,
    /// The account that workers run as; it needs no rights.
    pub service_account: Option<String>,
    /// For whom the worker's token is made.
    pub service_account_audience: String,
    /// `http://host:port` by which workers reach the trainers.
    pub trainer_url: String,
    /// Secrets whose entries are the worker's environment.
    pub environment_from: Vec<String>,
    /// Labels of the nodes that may run workers.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that workers bear.
    pub tolerations: Vec<TolerationConfiguration>,
    /// Of jobs that name none.
    pub priority_class: Option<String>,
    /// Kueue's queue of jobs that name none; unset: Jobs start without Kueue.
    pub queue: Option<String>,
    /// What runs the containers.
    pub runtime_class: Option<String>,
    /// Processors that a worker asks for when its job does not say.
    pub cpu: Option<String>,
    /// Memory that a worker has when neither its job nor `launcher.memory` says.
    pub memory: Option<String>,
    /// What a graphics processor is called.
    pub gpu_resource: String,
    /// How long a Job may take from its start, waiting for a node included.
    #[serde(with = "humantime_serde")]
    pub active_deadline: Duration,
    /// How long an ended Job is kept in the cluster.
    #[serde(with = "humantime_serde")]
    pub ttl_after_finished: Duration,
    /// Whether a lease is given to the Pod of its own Job alone; needs the right to review tokens.
    pub check_tokens: bool,
    /// The claim of the volume that holds the store; unset: workers reach the store without one.
    pub volume_claim: Option<String>,
    /// Where workers find the store's folder; unset: where the trainer finds it.
    pub store_path: Option<PathBuf>,
}

impl Default for KubernetesConfiguration {
    fn default() -> Self {
        Self {
            namespace: None,
            image: String::new(),
            image_pull_secrets: Vec::new(),
            service_account: None,
            service_account_audience: "gifthorse-trainer".to_owned(),
            trainer_url: String::new(),
            environment_from: Vec::new(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class: None,
            queue: None,
            runtime_class: None,
            cpu: None,
            memory: None,
            gpu_resource: "nvidia.com/gpu".to_owned(),
            active_deadline: Duration::from_hours(24),
            ttl_after_finished: Duration::from_hours(1),
            check_tokens: true,
            volume_claim: None,
            store_path: None,
        }
    }
}

/// A taint that workers bear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TolerationConfiguration {
    /// The taint's key; empty with `Exists` for every taint.
    pub key: String,
    /// `Equal` or `Exists`; empty for `Equal`.
    pub operator: String,
    /// The taint's value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; empty for every effect.
    pub effect: String,
}

/// The text, where there is one.
pub(crate) fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether Kubernetes takes this for the name of most of its objects.
pub(crate) fn is_object_name(text: &str) -> bool {
    let good = |part: &str| {
        let bytes = part.as_bytes();
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric)
            && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(good)
}

/// Whether Kubernetes takes this for an amount: `500m`, `2`, `1.5Gi`.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 15] =
        ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n"];
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let suffix = text.get(number.len()..).unwrap_or_default();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits(whole) && digits(fraction) && SUFFIXES.contains(&suffix)
}

impl KubernetesConfiguration {
    /// What is wrong, where this trainer is to use it.
    pub(super) fn validate(&self) -> Result<(), Problem> {
        if self.image.is_empty() {
            return Err(Problem::new("image", "is empty: name the worker's image"));
        }
        let url = url::Url::parse(&self.trainer_url).ok();
        if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            let message =
                format!("{:?} is no http://host:port by which workers reach the trainer", self.trainer_url);
            return Err(Problem::new("trainer_url", message));
        }
        self.validate_names()?;
        for (key, amount) in [("cpu", &self.cpu), ("memory", &self.memory)] {
            if let Some(text) = given(amount.as_ref()).filter(|text| !is_quantity(text)) {
                let message = format!("{text:?} is no quantity of Kubernetes: use 500m, 2 or 1.5Gi");
                return Err(Problem::new(key, message));
            }
        }
        for duration in
            [("active_deadline", self.active_deadline), ("ttl_after_finished", self.ttl_after_finished)]
        {
            if duration.1 < Duration::from_secs(1) || duration.1 > Duration::from_hours(24 * 3650) {
                let message = format!("{:?}: use 1s to ten years", duration.1);
                return Err(Problem::new(duration.0, message));
            }
        }
        if self.service_account_audience.is_empty() {
            return Err(Problem::new("service_account_audience", "is empty: name who takes the token"));
        }
        if self.check_tokens && given(self.service_account.as_ref()).is_none() {
            let message = "is unset: name the workers' own account, or set check_tokens to false";
            return Err(Problem::new("service_account", message));
        }
        if let Some(path) = self.store_path.as_ref().filter(|path| !path.as_os_str().is_empty())
            && !path.is_absolute()
        {
            return Err(Problem::new("store_path", format!("{} is not absolute", path.display())));
        }
        self.validate_tolerations()
    }

    fn validate_names(&self) -> Result<(), Problem> {
        let single = [
            ("namespace", given(self.namespace.as_ref())),
            ("service_account", given(self.service_account.as_ref())),
            ("priority_class", given(self.priority_class.as_ref())),
            ("queue", given(self.queue.as_ref())),
            ("runtime_class", given(self.runtime_class.as_ref())),
            ("volume_claim", given(self.volume_claim.as_ref())),
        ];
        let single = single.into_iter().filter_map(|(key, name)| Some((key, name?)));
        let pull = self.image_pull_secrets.iter().map(|name| ("image_pull_secrets", name.as_str()));
        let environment = self.environment_from.iter().map(|name| ("environment_from", name.as_str()));
        for (key, name) in single.chain(pull).chain(environment) {
            if !is_object_name(name) {
                let message = format!("{name:?} is no name of Kubernetes: use a-z, 0-9, '-' and '.'");
                return Err(Problem::new(key, message));
            }
        }
        Ok(())
    }

    fn validate_tolerations(&self) -> Result<(), Problem> {
        for TolerationConfiguration { key, operator, value, effect } in &self.tolerations {
            let wrong = if !matches!(operator.as_str(), "" | "Equal" | "Exists") {
                format!("the operator {operator:?}: use Equal or Exists")
            } else if !matches!(effect.as_str(), "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
                format!("the effect {effect:?}: use NoSchedule, PreferNoSchedule or NoExecute")
            } else if operator == "Exists" && !value.is_empty() {
                format!("the value {value:?} beside the operator Exists")
            } else if key.is_empty() && operator != "Exists" {
                "no key, which only goes with the operator Exists".to_owned()
            } else {
                continue;
            };
            return Err(Problem::new("tolerations", format!("one has {wrong}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> KubernetesConfiguration {
        KubernetesConfiguration {
            image: "registry/worker:1".to_owned(),
            trainer_url: "http://trainer:4703".to_owned(),
            service_account: Some("worker".to_owned()),
            ..KubernetesConfiguration::default()
        }
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        assert!(sound().validate().is_ok());
        let bearing = |key: &str, operator: &str, value: &str, effect: &str| {
            let [key, operator, value, effect] = [key, operator, value, effect].map(str::to_owned);
            vec![TolerationConfiguration { key, operator, value, effect }]
        };
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            ("image", KubernetesConfiguration { image: String::new(), ..sound() }),
            ("trainer_url", KubernetesConfiguration { trainer_url: "trainer:4703".to_owned(), ..sound() }),
            ("trainer_url", KubernetesConfiguration { trainer_url: String::new(), ..sound() }),
            ("namespace", KubernetesConfiguration { namespace: text("Mine"), ..sound() }),
            ("queue", KubernetesConfiguration { queue: text("a_b"), ..sound() }),
            (
                "environment_from",
                KubernetesConfiguration { environment_from: vec![String::new()], ..sound() },
            ),
            ("cpu", KubernetesConfiguration { cpu: text("two"), ..sound() }),
            ("memory", KubernetesConfiguration { memory: text("4GiB"), ..sound() }),
            ("active_deadline", KubernetesConfiguration { active_deadline: Duration::ZERO, ..sound() }),
            ("service_account", KubernetesConfiguration { service_account: text(""), ..sound() }),
            ("store_path", KubernetesConfiguration { store_path: Some("data".into()), ..sound() }),
            ("tolerations", KubernetesConfiguration { tolerations: bearing("", "", "", ""), ..sound() }),
            ("tolerations", KubernetesConfiguration { tolerations: bearing("a", "In", "", ""), ..sound() }),
            (
                "tolerations",
                KubernetesConfiguration { tolerations: bearing("a", "", "", "Never"), ..sound() },
            ),
            (
                "tolerations",
                KubernetesConfiguration { tolerations: bearing("a", "Exists", "b", ""), ..sound() },
            ),
        ];
        for (key, wrong) in cases {
            let problem = wrong.validate().unwrap_err();
            assert!(format!("{problem:?}").contains(key), "{key}: {problem:?}");
        }
        let unchecked = KubernetesConfiguration { check_tokens: false, service_account: None, ..sound() };
        assert!(unchecked.validate().is_ok());
        let every = KubernetesConfiguration { tolerations: bearing("", "Exists", "", ""), ..sound() };
        assert!(every.validate().is_ok());
    }

    #[test]
    fn names_and_quantities_are_those_of_kubernetes() {
        for good in ["a", "worker-1", "a.b-c.d"] {
            assert!(is_object_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", "A", "a_b", "a/b", &"a".repeat(254)] {
            assert!(!is_object_name(bad), "{bad}");
        }
        for good in ["1", "0.5", "500m", "2Gi", "1.5G"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "Gi", "1.", ".5", "1 Gi", "1GiB", "-1", "1e3x"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
