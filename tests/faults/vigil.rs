//! A running house with a sound model in it, watched for whether it stays as it was.

use std::path::PathBuf;

use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::image_tensor::Content;
use gifthorse_tests::house::{House, Settings, connect};
use tonic::transport::Channel;
use tonic::{Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::networks::{self, HEIGHT, WIDTH};
use crate::patience::{eventually, soon};
use crate::uploads;

/// The sound model.
pub(crate) const SOUND: &str = "sound";

/// A house, and what it was when it was well.
pub(crate) struct Vigil {
    pub(crate) house: House,
    /// A connection to the gateway.
    pub(crate) gateway: Channel,
    processes: [u32; 4],
    answer: v1::ClassifyResponse,
}

impl Vigil {
    /// Starts a house, imports the sound model and asks it once.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// [`Vigil::start`] with settings of the services.
    pub(crate) async fn start_with(settings: Settings<'_>) -> Self {
        let house = House::start_with(settings).await;
        let gateway = house.channel().await;
        uploads::import(&gateway, SOUND, networks::onnx()).await.expect("the sound model is imported");
        let answer = classify(&gateway, sound_input()).await.expect("the sound model answers").into_inner();
        let processes = processes(&house);
        Self { house, gateway, processes, answer }
    }

    /// Asserts that nothing has been harmed: the processes are the same, healthy, and answer as before.
    pub(crate) async fn assert_unharmed(&mut self) {
        assert_eq!(processes(&self.house), self.processes);
        let house = &mut self.house;
        for program in [&mut house.gateway, &mut house.serving, &mut house.detector, &mut house.trainer] {
            assert!(program.is_running(), "a service has ended: {}", program.log());
            let mut health = HealthClient::new(connect(program).await);
            let request = HealthCheckRequest { service: String::new() };
            let health =
                soon("health", health.check(request)).await.expect("health is answered").into_inner();
            assert_eq!(health.status(), ServingStatus::Serving);
        }
        let answer = soon("a sound request", classify(&self.gateway, sound_input())).await;
        let answer = answer.expect("the sound model still answers").into_inner();
        assert_eq!((answer.label, answer.top), (self.answer.label, self.answer.top.clone()));
        // A version must not appear because something went wrong elsewhere.
        assert_eq!(answer.model_version, self.answer.model_version);
    }

    /// Waits until no reader has left a folder behind.
    pub(crate) async fn assert_clean(&self) {
        eventually("an empty folder of temporary files", async || self.temporary().is_empty()).await;
    }

    /// Folders of readers among the temporary files.
    pub(crate) fn temporary(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.house.folder.path()).expect("the folder is there").flatten();
        let folders =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("gifthorse-quarantine"));
        folders.map(|entry| entry.path()).collect()
    }

    /// Names of the models in the repository.
    pub(crate) async fn models(&self) -> Vec<String> {
        let mut models = self.house.models().await;
        let listed =
            models.list_models(v1::ListModelsRequest::default()).await.expect("models can be listed");
        listed.into_inner().models.into_iter().map(|model| model.name).collect()
    }
}

/// Asks the sound model about an input, through the gateway.
pub(crate) async fn classify(
    gateway: &Channel,
    input: Input,
) -> Result<Response<v1::ClassifyResponse>, Status> {
    let request = v1::ClassifyRequest {
        model: format!("models/{SOUND}"),
        input: Some(input),
        top_k: 5,
        ..Default::default()
    };
    GuardClient::new(gateway.clone()).max_encoding_message_size(usize::MAX).classify(request).await
}

/// Something the sound model takes: `[3, 8, 6]` pixels.
pub(crate) fn sound_input() -> Input {
    let count = 3 * HEIGHT as usize * WIDTH as usize;
    Input::Tensor(v1::ImageTensor {
        shape: vec![3, HEIGHT as i32, WIDTH as i32],
        content: Content::PixelsUint8.into(),
        data: (0..count).map(|index| (index * 7 % 256) as u8).collect::<Vec<_>>().into(),
    })
}

fn processes(house: &House) -> [u32; 4] {
    [house.gateway.id(), house.serving.id(), house.detector.id(), house.trainer.id()]
}
