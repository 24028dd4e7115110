//! A gateway on a free port that remembers what it was sent and answers as the names in the requests say.

mod datasets;
pub(crate) mod detection;
mod guard;
pub(crate) mod models;
mod policies;

use std::sync::{Arc, Mutex};

use gifthorse_api::v1::datasets_server::DatasetsServer;
use gifthorse_api::v1::detection_server::DetectionServer;
use gifthorse_api::v1::guard_server::GuardServer;
use gifthorse_api::v1::models_server::ModelsServer;
use gifthorse_api::v1::policies_server::PoliciesServer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A running gateway; it ends when this is dropped.
pub(crate) struct FakeGateway {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    uploads: mpsc::UnboundedReceiver<Ending>,
    _server: JoinSet<()>,
}

/// One call, as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Import {
        specification: gifthorse_api::v1::ImportModelSpecification,
        chunks: Vec<usize>,
        content: Vec<u8>,
    },
    Upload {
        specification: gifthorse_api::v1::UploadDatasetSpecification,
        content: Vec<u8>,
    },
    Classify(gifthorse_api::v1::ClassifyRequest),
    Calibrate(gifthorse_api::v1::CalibrateRequest),
    Scan(gifthorse_api::v1::ScanRequest),
    Evaluate(gifthorse_api::v1::EvaluateRequest),
    SetPolicy(gifthorse_api::v1::SetPolicyRequest),
    ExportGuarded(gifthorse_api::v1::ExportGuardedModelRequest),
    Link(gifthorse_api::v1::LinkModelRequest),
    Promote(String),
    Delete(String),
}

/// How the stream of an upload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client said that this was all of it.
    Complete,
    /// The client broke off.
    BrokenOff,
}

/// What the services share.
#[derive(Clone)]
struct Memory {
    seen: Arc<Mutex<Vec<Seen>>>,
    uploads: mpsc::UnboundedSender<Ending>,
}

impl Memory {
    fn note(&self, call: Seen) {
        self.seen.lock().unwrap().push(call);
    }

    /// Whether a data set was uploaded under this name.
    fn has_uploaded(&self, name: &str) -> bool {
        let named =
            |call: &Seen| matches!(call, Seen::Upload { specification, .. } if specification.dataset == name);
        self.seen.lock().unwrap().iter().any(named)
    }

    fn ended(&self, ending: Ending) {
        // Most tests do not ask.
        let _ = self.uploads.send(ending);
    }
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::default();
        let (sender, uploads) = mpsc::unbounded_channel();
        let memory = Memory { seen: Arc::clone(&seen), uploads: sender };
        let server = Server::builder()
            .add_service(GuardServer::new(guard::Guard(memory.clone())))
            .add_service(ModelsServer::new(models::Models(memory.clone())))
            .add_service(DetectionServer::new(detection::Detection(memory.clone())))
            .add_service(PoliciesServer::new(policies::Policies(memory.clone())))
            .add_service(DatasetsServer::new(datasets::Datasets(memory)))
            .serve_with_incoming(TcpIncoming::from(listener));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server.await.unwrap() });
        Self { address, seen, uploads, _server: tasks }
    }

    /// The calls so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How the next upload ended.
    pub(crate) async fn upload_ended(&mut self) -> Ending {
        self.uploads.recv().await.expect("the gateway runs")
    }
}
