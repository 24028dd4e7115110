//! A gateway between a serving and a detector that are made up, all in the process of the test on free ports.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unreachable_pub, reason = "shared by the test programs, which are crates of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

pub mod detector;
pub mod fake;
pub mod serving;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_gateway::{GatewayConfiguration, IDENTITY};
use gifthorse_service::client::ClientConfiguration;
use gifthorse_service::configuration::DrainConfiguration;
use gifthorse_service::server::Server;
use gifthorse_service::shutdown::Reason;
use gifthorse_service::{Context, OnError, ServiceConfiguration, Shutdown, Tasks};
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use detector::Detector;
use fake::Fake;
use serving::Serving;

/// Every wait of a test ends by then: a failure, not a pace.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The value of a future that must not take for ever.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("the test waited in vain")
}

/// The front door and what is behind it.
pub struct House {
    pub serving: Arc<Serving>,
    pub detector: Arc<Detector>,
    pub channel: Channel,
    serving_server: Fake,
    detector_server: Fake,
    shutdown: Shutdown,
    _owner: Tasks,
}

impl House {
    /// A house in which policies are asked for each time.
    pub async fn start() -> Self {
        Self::remembering(Duration::ZERO).await
    }

    /// A house whose gateway remembers promotions and policies so long.
    pub async fn remembering(age: Duration) -> Self {
        let (serving, detector) = (Arc::new(Serving::default()), Arc::new(Detector::default()));
        let serving_server = Fake::start(Arc::clone(&serving)).await;
        let detector_server = Fake::start(Arc::clone(&detector)).await;
        let at = |fake: &Fake| ClientConfiguration {
            urls: vec![format!("http://{}", fake.address)],
            ..ClientConfiguration::default()
        };
        let drain = DrainConfiguration { notice: Duration::ZERO, grace: PATIENCE, tasks: PATIENCE };
        let mut configuration = GatewayConfiguration {
            service: ServiceConfiguration { drain, ..ServiceConfiguration::default() },
            ..GatewayConfiguration::default()
        };
        configuration.upstream.serving = at(&serving_server);
        configuration.upstream.detector = at(&detector_server);
        configuration.models.promotion_age = age;

        let shutdown = Shutdown::new();
        let server = Server::bind(IDENTITY, &configuration.service, shutdown.clone()).await.unwrap();
        let addresses = server.addresses();
        let context = Context {
            configuration,
            readiness: server.readiness().clone(),
            tasks: server.tasks().clone(),
            shutdown: shutdown.clone(),
            addresses,
        };
        let rpcs = gifthorse_gateway::build(context).await.unwrap();
        let (tell_accepting, accepting) = oneshot::channel();
        // The server's own tasks end with it: it must be driven by another owner.
        let owner = Tasks::new(Shutdown::new());
        owner.spawn("gateway", OnError::Log, |_| async move {
            server.run(rpcs, |addresses| tell_accepting.send(addresses).unwrap()).await.map(drop)
        });
        within(accepting).await.unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{}", addresses.grpc)).unwrap();
        let channel = within(endpoint.connect()).await.unwrap();
        Self { serving, detector, channel, serving_server, detector_server, shutdown, _owner: owner }
    }

    /// Ends the detector: its connections are closed and its port answers no more.
    pub async fn stop_detector(&mut self) {
        within(self.detector_server.stop()).await;
    }

    pub fn guard(&self) -> GuardClient<Channel> {
        GuardClient::new(self.channel.clone())
    }

    pub fn protocol(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.channel.clone())
    }

    pub async fn classify(&self, pixel: f32) -> Result<v1::ClassifyResponse, Status> {
        within(self.guard().classify(picture(pixel))).await.map(tonic::Response::into_inner)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.request(Reason::Requested);
    }
}

/// A request with a prepared tensor whose first number is this. The detector calls those beyond 0.5 trojaned.
pub fn picture(pixel: f32) -> v1::ClassifyRequest {
    let data: Bytes = [pixel, 0.25].iter().flat_map(|value| value.to_le_bytes()).collect();
    let content = v1::image_tensor::Content::PreparedFp32.into();
    v1::ClassifyRequest {
        model: "models/m".to_owned(),
        input: Some(Input::Tensor(v1::ImageTensor { shape: vec![1, 2, 1], content, data })),
        ..v1::ClassifyRequest::default()
    }
}

/// Fails unless the refusal has this code and its message these words.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: ErrorCode, words: &str) {
    let refused = answer.expect_err("must be refused");
    assert_eq!(code_of(&refused), Some(code), "{refused:?}");
    assert!(refused.message().contains(words), "{}", refused.message());
}
