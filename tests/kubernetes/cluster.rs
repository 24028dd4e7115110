//! etcd, kube-apiserver and the Job controller on ephemeral ports of loopback, with fresh state.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the cluster's programs may take to answer, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_mins(3);
/// Where Jobs are made.
pub(crate) const NAMESPACE: &str = "lab";
/// The folder of the cluster's programs.
const PROGRAMS: &str = "GIFTHORSE_KUBERNETES";

/// What the trainer may do, and nothing else.
pub(crate) fn rights() -> Vec<(&'static str, Value)> {
    let rule = |groups: &str, resources: &str, verbs: &[&str]| json!({"apiGroups": [groups], "resources": [resources], "verbs": verbs});
    let jobs = rule("batch", "jobs", &["create", "get", "list", "watch", "delete"]);
    let pods = rule("", "pods", &["get", "list", "watch"]);
    let logs = rule("", "pods/log", &["get"]);
    let reviews = rule("authentication.k8s.io", "tokenreviews", &["create"]);
    let subjects = json!([{"kind": "ServiceAccount", "name": "trainer", "namespace": NAMESPACE}]);
    let of = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "gifthorse-trainer"});
    let namespaced = "/apis/rbac.authorization.k8s.io/v1/namespaces/lab";
    let cluster = "/apis/rbac.authorization.k8s.io/v1";
    let object = |kind: &str, more: Value| {
        let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                                "metadata": {"name": "gifthorse-trainer"}});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    assert!(namespaced.ends_with(NAMESPACE) && namespaced.starts_with(cluster));
    vec![
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/roles",
            object("Role", json!({"rules": [jobs, pods, logs]})),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/rolebindings",
            object("RoleBinding", json!({"subjects": subjects, "roleRef": of("Role")})),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            object("ClusterRole", json!({"rules": [reviews]})),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            object("ClusterRoleBinding", json!({"subjects": subjects, "roleRef": of("ClusterRole")})),
        ),
    ]
}

/// A running cluster. Its programs end when it is dropped.
pub(crate) struct Cluster {
    programs: PathBuf,
    pub(crate) folder: TempDir,
    etcd: Child,
    server: Option<Child>,
    controllers: Option<Child>,
    port: u16,
    etcd_port: u16,
    /// A client that may do everything.
    pub(crate) admin: Client,
}

impl Cluster {
    /// Starts a cluster with the namespace and its accounts. Says loudly what is skipped without the programs.
    pub(crate) async fn start(wanted_for: &str) -> Option<Self> {
        let Some(programs) = std::env::var_os(PROGRAMS).map(PathBuf::from) else {
            eprintln!("SKIPPED: {wanted_for} needs a cluster's programs: run make test-kubernetes");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        certificates(path);
        let (port, etcd_port) = (free_port(), free_port());
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let etcd = spawn(
            &programs.join("etcd"),
            &[
                format!("--data-dir={}", path.join("etcd").display()),
                format!("--listen-client-urls={}", url(etcd_port)),
                format!("--advertise-client-urls={}", url(etcd_port)),
                format!("--listen-peer-urls={}", url(free_port())),
                "--unsafe-no-fsync".to_owned(),
            ],
            &path.join("etcd.log"),
        );
        std::fs::write(path.join("tokens.csv"), "all,admin,1,\"system:masters\"\n").unwrap();
        kubeconfig(&path.join("admin.json"), port, "all");
        let server = serve(&programs, path, port, etcd_port);
        let admin = client(&path.join("admin.json")).await;
        let mut cluster =
            Self { programs, folder, etcd, server: Some(server), controllers: None, port, etcd_port, admin };
        cluster.until_ready().await;
        // They end where the API server does not answer for a while.
        let controllers = spawn(
            &cluster.programs.join("kube-controller-manager"),
            &[
                format!("--kubeconfig={}", cluster.folder.path().join("admin.json").display()),
                "--controllers=job,ttl-after-finished,garbagecollector".to_owned(),
                "--leader-elect=false".to_owned(),
                "--port=0".to_owned(),
                "--secure-port=0".to_owned(),
            ],
            &cluster.folder.path().join("controllers.log"),
        );
        cluster.controllers = Some(controllers);
        cluster
            .post(
                "/api/v1/namespaces",
                &json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": NAMESPACE}}),
            )
            .await;
        for account in ["trainer", "worker"] {
            let accounts = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
            let account =
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}});
            cluster.post(&accounts, &account).await;
        }
        Some(cluster)
    }

    /// Lets the trainer do its work.
    pub(crate) async fn give_rights(&self) {
        for (path, object) in rights() {
            self.post(path, &object).await;
        }
    }

    /// Makes an object.
    pub(crate) async fn post(&self, path: &str, object: &Value) -> Value {
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .body(object.to_string().into_bytes())
            .unwrap();
        self.admin.request(request).await.unwrap()
    }

    /// A token of an account for somebody; bound to a Pod, where one is named by name and unique id.
    pub(crate) async fn token(
        admin: &Client,
        account: &str,
        audience: Option<&str>,
        pod: Option<(&str, &str)>,
    ) -> kube::Result<String> {
        let bound = pod.map(|(name, uid)| BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(name.to_owned()),
            uid: Some(uid.to_owned()),
        });
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: audience.map(|audience| vec![audience.to_owned()]).unwrap_or_default(),
                bound_object_ref: bound,
                expiration_seconds: Some(3600),
            },
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), NAMESPACE);
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        Ok(answer.status.unwrap().token)
    }

    /// The configuration by which the trainer finds the cluster, with its own account's token.
    pub(crate) async fn trainer_kubeconfig(&self) -> PathBuf {
        let token = Self::token(&self.admin, "trainer", None, None).await.unwrap();
        let path = self.folder.path().join("trainer.json");
        kubeconfig(&path, self.port, &token);
        path
    }

    /// Stops the API server, as a crash does.
    pub(crate) fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts the API server again, where it was.
    pub(crate) async fn start_server(&mut self) {
        self.server = Some(serve(&self.programs, self.folder.path(), self.port, self.etcd_port));
        self.until_ready().await;
    }

    async fn until_ready(&self) {
        let started = Instant::now();
        loop {
            let asked = http::Request::get("/readyz").body(Vec::new()).unwrap();
            if self.admin.request_text(asked).await.is_ok_and(|answer| answer == "ok") {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no API server: {}", self.said("server.log"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn said(&self, log: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(log)).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let server = self.server.iter_mut();
        for child in server.chain(&mut self.controllers).chain([&mut self.etcd]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.said("controllers.log");
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("--- end of the controllers' log, newest first\n{}", tail.join("\n"));
        }
    }
}

fn serve(programs: &Path, folder: &Path, port: u16, etcd_port: u16) -> Child {
    let file = |name: &str| folder.join(name).display().to_string();
    spawn(
        &programs.join("kube-apiserver"),
        &[
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--cert-dir={}", folder.display()),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!("--service-account-signing-key-file={}", file("accounts.key")),
            "--service-account-issuer=https://cluster.test".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            // It would mount tokens of its own, which nothing here makes.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--feature-gates=TTLAfterFinished=true".to_owned(),
        ],
        &folder.join("server.log"),
    )
}

/// Starts a program whose output goes into a log.
fn spawn(program: &Path, arguments: &[String], log: &Path) -> Child {
    let open = || File::options().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(open()).stderr(open());
    command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

/// Keys of the accounts, and a certificate for loopback under an authority of its own: clients refuse one that is its
/// own authority.
fn certificates(folder: &Path) {
    std::fs::write(
        folder.join("server.ext"),
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    let steps = [
        "genrsa -out accounts.key 2048",
        "rsa -in accounts.key -pubout -out accounts.pub",
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout authority.key -out authority.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=loopback -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -out server.crt \
         -extfile server.ext",
    ];
    for step in steps {
        let made = Command::new("openssl").args(step.split_whitespace()).current_dir(folder).output();
        let made = made.expect("openssl is installed");
        assert!(made.status.success(), "openssl {step}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A port that nobody has just now; whoever is to have it takes it by its number.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// JSON is YAML.
fn kubeconfig(path: &Path, port: u16, token: &str) {
    let authority = path.with_file_name("authority.crt");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster":
            {"server": format!("https://127.0.0.1:{port}"), "certificate-authority": authority}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": NAMESPACE}}],
    });
    std::fs::write(path, config.to_string()).unwrap();
}

/// A client by this configuration.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    let read = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
