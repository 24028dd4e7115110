//! The Job field by field.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{launch, settings};
use crate::configuration::{KubernetesConfiguration, TolerationConfiguration};
use crate::launcher::Launch;
use crate::launcher::kubernetes::manifest::Blueprint;

fn made(kubernetes: KubernetesConfiguration, launch: &Launch) -> Value {
    let blueprint = Blueprint {
        settings: kubernetes,
        namespace: "lab".to_owned(),
        store: "/data".to_owned(),
        stop_within: settings().stop_within,
    };
    serde_json::to_value(blueprint.job(launch)).unwrap()
}

#[test]
fn the_least_job_is_restricted_and_runs_once() {
    let job = made(settings().kubernetes, &launch());
    let labels = json!({
        "app.kubernetes.io/name": "gifthorse", "app.kubernetes.io/component": "worker",
        "app.kubernetes.io/part-of": "gifthorse", "app.kubernetes.io/managed-by": "gifthorse-trainer",
        "gifthorse.dev/job": "job-0011", "gifthorse.dev/attempt": "job-0011-2",
    });
    let pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "serviceAccountName": "worker",
        "terminationGracePeriodSeconds": 7,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "token", "projected": {"defaultMode": 0o440, "sources": [{"serviceAccountToken": {
                "audience": "gifthorse-trainer", "expirationSeconds": 600, "path": "token"}}]}},
        ],
        "containers": [{
            "name": "worker",
            "image": "registry/worker:1",
            "args": ["--trainer", "http://trainer:4703", "--job", "pruningJobs/job-0011", "--name", "job-0011-2",
                     "--token-file", "/var/run/secrets/gifthorse.dev/token"],
            "env": [{"name": "OMP_WAIT_POLICY", "value": "PASSIVE"}, {"name": "TMPDIR", "value": "/tmp"}],
            "resources": {},
            "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {"name": "scratch", "mountPath": "/tmp"},
                {"name": "token", "mountPath": "/var/run/secrets/gifthorse.dev", "readOnly": true},
            ],
        }],
    });
    let expected = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "gifthorse-job-0011-2", "namespace": "lab", "labels": labels},
        "spec": {
            "activeDeadlineSeconds": 86400, "backoffLimit": 0, "completions": 1, "parallelism": 1,
            "podReplacementPolicy": "Failed", "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    });
    assert_eq!(job, expected);
    assert_eq!(job, made(settings().kubernetes, &launch()), "the same attempt makes the same Job");
}

#[test]
fn everything_that_is_set_is_in_the_job() {
    let text = |text: &str| Some(text.to_owned());
    let kubernetes = KubernetesConfiguration {
        image_pull_secrets: vec!["registry".to_owned()],
        environment_from: vec!["store".to_owned()],
        node_selector: BTreeMap::from([("pool".to_owned(), "gpu".to_owned())]),
        tolerations: vec![TolerationConfiguration {
            key: "gpu".to_owned(),
            operator: "Exists".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..TolerationConfiguration::default()
        }],
        priority_class: text("batch"),
        queue: text("repairs"),
        runtime_class: text("nvidia"),
        cpu: text("2"),
        memory: text("4Gi"),
        volume_claim: text("store"),
        service_account: text(""),
        check_tokens: false,
        ..settings().kubernetes
    };
    let job = made(kubernetes.clone(), &launch());
    let pod = &job["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "repairs");
    assert_eq!(job["spec"]["suspend"], true);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["nodeSelector"], json!({"pool": "gpu"}));
    assert_eq!(pod["tolerations"], json!([{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]));
    assert_eq!((&pod["priorityClassName"], &pod["runtimeClassName"]), (&json!("batch"), &json!("nvidia")));
    assert_eq!(pod["volumes"][1], json!({"name": "store", "persistentVolumeClaim": {"claimName": "store"}}));
    assert_eq!(container["volumeMounts"][1], json!({"name": "store", "mountPath": "/data"}));
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "store"}}]));
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}})
    );
    assert!(pod["serviceAccountName"].is_null() && !container["args"].to_string().contains("token-file"));

    // What the job asks for counts more.
    let asked = Launch {
        memory_bytes: Some(2 << 30),
        cores: Some(1.5),
        gpus: 2,
        queue: "mine".to_owned(),
        priority_class: "urgent".to_owned(),
        ..launch()
    };
    let job = made(kubernetes, &asked);
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "mine");
    assert_eq!(pod["priorityClassName"], "urgent");
    assert_eq!(
        pod["containers"][0]["resources"],
        json!({
            "requests": {"cpu": "1500m", "memory": "2147483648", "nvidia.com/gpu": "2"},
            "limits": {"memory": "2147483648", "nvidia.com/gpu": "2"},
        })
    );
}
