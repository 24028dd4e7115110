//! All four services on one machine, with a data folder of their own.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::models_client::ModelsClient;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::program::{Program, path_of};

/// The largest message a test client takes or sends.
const MESSAGE_BYTES: usize = 64 << 20;

/// A running house. The programs end when it is dropped, front first.
#[derive(Debug)]
pub struct House {
    /// The front door.
    pub gateway: Program,
    /// Model repository and inference.
    pub serving: Program,
    /// Data sets and detection.
    pub detector: Program,
    /// Pruning jobs.
    pub trainer: Program,
    /// The data folder, logs and temporary files.
    pub folder: TempDir,
}

/// Settings of one test: service, key, value.
pub type Settings<'a> = &'a [(&'a str, &'a str, &'a str)];

impl House {
    /// Starts all four services and waits until the gateway is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// [`House::start`] with settings beside the usual ones.
    ///
    /// # Panics
    ///
    /// When a service does not start or get ready.
    pub async fn start_with(settings: Settings<'_>) -> Self {
        Self::start_in(settings, &[]).await
    }

    /// [`House::start_with`] with variables in the environment of all services.
    ///
    /// # Panics
    ///
    /// When a service does not start or get ready.
    pub async fn start_in(settings: Settings<'_>, environment: &[(String, String)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let of = |service: &str, own: &[(&str, String)]| -> Vec<(String, String)> {
            let quick = ("service.drain.notice".to_owned(), "0s".to_owned());
            let own = own.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
            let asked = settings.iter().filter(|(name, ..)| *name == service);
            let asked = asked.map(|(_, key, value)| ((*key).to_owned(), (*value).to_owned()));
            std::iter::once(quick).chain(own).chain(asked).collect()
        };
        let store = [("store.url", folder.path().join("data").display().to_string())];
        let start = |name: &'static str, settings: &[(String, String)]| {
            Program::start_in(name, "127.0.0.1:0", settings, environment, folder.path())
        };
        let serving = start("serving", &of("serving", &store));
        let urls = |program: &Program| format!("[\"http://{}\"]", program.grpc);
        let [stored] = store.clone();
        let detecting = [stored, ("upstream.serving.urls", urls(&serving))];
        let detector = start("detector", &of("detector", &detecting));
        let trainer = start("trainer", &of("trainer", &store));
        let upstream = [
            ("upstream.serving.urls", urls(&serving)),
            ("upstream.detector.urls", urls(&detector)),
            ("upstream.trainer.urls", urls(&trainer)),
        ];
        let gateway = start("gateway", &of("gateway", &upstream));
        let house = Self { gateway, serving, detector, trainer, folder };
        for program in [&house.serving, &house.detector, &house.trainer, &house.gateway] {
            wait_until_serving(program).await;
        }
        house
    }

    /// A connection to the gateway.
    pub async fn channel(&self) -> Channel {
        connect(&self.gateway).await
    }

    /// A client of the gateway's `Guard`.
    pub async fn guard(&self) -> GuardClient<Channel> {
        let client = GuardClient::new(self.channel().await);
        client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
    }

    /// A client of the gateway's `Models`.
    pub async fn models(&self) -> ModelsClient<Channel> {
        let client = ModelsClient::new(self.channel().await);
        client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
    }

    /// Runs the command line against the gateway, to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(path_of("gifthorse"));
        command.env("GIFTHORSE_GATEWAY", format!("http://{}", self.gateway.grpc)).args(arguments);
        command.output().expect("the command line runs")
    }

    /// Runs the command line with `--json` and gives the objects it prints.
    ///
    /// # Panics
    ///
    /// When it fails or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.command(&[arguments, &["--json"]].concat());
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gifthorse {arguments:?} failed: {stdout}{stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }

    /// Imports a course network of the test data: DeepID weights.
    pub fn import_deepid(&self, name: &str, weights: &Path, scale: &str) -> serde_json::Value {
        let weights = weights.to_string_lossy();
        let arguments = ["model", "import", name, &weights, "--architecture", "deepid", "--scale", scale];
        self.json(&arguments).remove(0)
    }
}

/// A connection to a program.
///
/// # Panics
///
/// When it refuses.
pub async fn connect(program: &Program) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", program.grpc)).expect("an address");
    endpoint.connect().await.expect("the program listens")
}

/// Waits until the program's health is SERVING.
///
/// # Panics
///
/// When it is not within half a minute; the panic shows its log.
pub async fn wait_until_serving(program: &Program) {
    let mut health = HealthClient::new(connect(program).await);
    let request = HealthCheckRequest { service: String::new() };
    let mut states = health.watch(request).await.expect("health can be watched").into_inner();
    let serving = async {
        while let Some(state) = states.message().await.expect("health is answered") {
            if state.status() == ServingStatus::Serving {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), serving).await;
    assert!(waited.is_ok(), "a service does not get ready: {}", program.log());
}
