//! Two servers: one that holds a network, and a house that may link it.

use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::{House, connect, wait_until_serving};
use gifthorse_tests::program::Program;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Channel;

/// A serving program with a store of its own, and a house that may link it.
pub(super) struct Pair {
    pub(super) house: House,
    pub(super) server: Program,
    /// The server's own repository.
    pub(super) theirs: ModelsClient<Channel>,
    folder: TempDir,
}

impl Pair {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let server = Program::start("serving", &settings(&folder), folder.path());
        wait_until_serving(&server).await;
        let allowed = format!("[\"{}\"]", server.grpc);
        // The schedule is switched off, as far as a test lasts: what is found is found on demand.
        let house = House::start_with(&[
            ("serving", "link.endpoints", allowed.as_str()),
            ("serving", "link.probe_interval", "1h"),
        ])
        .await;
        let theirs = ModelsClient::new(connect(&server).await);
        Self { house, server, theirs, folder }
    }

    /// The model `subject` of the server.
    pub(super) fn endpoint(&self) -> v1::LinkedEndpoint {
        v1::LinkedEndpoint {
            endpoint: self.server.grpc.to_string(),
            model_name: "subject".to_owned(),
            model_version: String::new(),
            input: "pixels".to_owned(),
            output: "probabilities".to_owned(),
            logits: false,
        }
    }

    pub(super) fn request(&self) -> v1::LinkModelRequest {
        v1::LinkModelRequest {
            model: "models/faces".to_owned(),
            endpoint: Some(self.endpoint()),
            ..Default::default()
        }
    }

    pub(super) async fn link(&self, request: v1::LinkModelRequest) -> Result<v1::ModelVersion, Status> {
        self.house.models().await.link_model(request).await.map(tonic::Response::into_inner)
    }

    pub(super) async fn check(&self, name: &str) -> Result<v1::ModelVersion, Status> {
        let request = v1::CheckLinkedModelRequest { name: name.to_owned() };
        self.house.models().await.check_linked_model(request).await.map(tonic::Response::into_inner)
    }

    /// Ends the server without a word, as a machine that fails.
    pub(super) fn kill_server(&mut self) {
        self.server.signal("KILL");
        self.server.wait();
    }

    /// Starts the server again where it was, on what it had.
    pub(super) async fn restart_server(&mut self) {
        let at = self.server.grpc.to_string();
        self.server = Program::start_at("serving", &at, &settings(&self.folder), self.folder.path());
        wait_until_serving(&self.server).await;
        self.theirs = ModelsClient::new(connect(&self.server).await);
    }
}

fn settings(folder: &TempDir) -> Vec<(String, String)> {
    let store = folder.path().join("data").display().to_string();
    vec![("store.url".to_owned(), store), ("service.drain.notice".to_owned(), "0s".to_owned())]
}
