//! The gateway: the one front door.
//!
//! It classifies (`Guard`): serving names the image while the detector says whether a trigger steers the
//! network, and the model's policy makes one answer of both. It guards the Open Inference Protocol the same way
//! for models that have a policy, and passes every other service on to the program that owns it, message for
//! message. It has no state of its own beyond short memories.

mod classify;
mod configuration;
mod detection;
mod directory;
mod forward;
mod guard;
mod inference;
mod input;
mod policies;
mod protocol;
mod upstream;
mod verdict;

use std::sync::Arc;

use gifthorse_api::inference::grpc_inference_service_server;
use gifthorse_api::v1::{
    alarms_server, datasets_server, detection_server, guard_server, models_server, policies_server,
    pruning_jobs_server,
};
use gifthorse_dataset::picture::PictureLimits;
use gifthorse_service::client::Peer;
use gifthorse_service::main_support::AnyError;
use gifthorse_service::{Context, Identity, OnError, Rpcs};

pub use configuration::GatewayConfiguration;

use classify::Classifier;
use detection::Detection;
use directory::Directory;
use forward::Forward;
use guard::GuardService;
use inference::Inference;
use input::Preparation;
use policies::Policies;
use protocol::{GuardedProtocol, Protocol};

/// What this program is.
pub const IDENTITY: Identity = Identity {
    name: "gateway",
    version: env!("CARGO_PKG_VERSION"),
    about: "The one front door: classifies images, guards the answers and forwards everything else",
    descriptors: &[gifthorse_api::FILE_DESCRIPTOR_SET],
};

/// Builds the rpcs of the gateway.
#[expect(clippy::unused_async, reason = "the builder of every service is awaited; this one connects lazily")]
pub async fn build(context: Context<GatewayConfiguration>) -> Result<Rpcs, AnyError> {
    let configuration = context.configuration;
    let upstream = &configuration.upstream;
    let serving = Peer::new("serving", &upstream.serving, &context.tasks)?;
    let detector = Peer::new("detector", &upstream.detector, &context.tasks)?;
    let trainer = Peer::new("trainer", &upstream.trainer, &context.tasks)?;

    let limits = PictureLimits {
        max_bytes: configuration.pictures.file_bytes.get(),
        max_pixels: configuration.pictures.pixels,
    };
    let preparation = Preparation::new(limits, configuration.pictures.concurrent.get());
    let directory = Arc::new(Directory::new(serving.clone(), &configuration.models));
    let policies = Arc::new(Policies::new(detector.clone(), &configuration.models));
    let (inference, detection) = (Inference::new(serving.clone()), Detection::new(detector.clone()));
    let message_bytes = configuration.service.limits.message_bytes.as_usize();
    let protocol = GuardedProtocol::new(Protocol {
        directory: Arc::clone(&directory),
        policies: Arc::clone(&policies),
        inference: inference.clone(),
        detection: detection.clone(),
        message_bytes,
    });
    let classifier = Classifier { directory, policies, preparation, inference, detection };
    let guard = guard_server::GuardServer::new(GuardService::new(classifier))
        .max_decoding_message_size(message_bytes)
        .max_encoding_message_size(message_bytes);

    let forwarded = [
        (models_server::SERVICE_NAME, &serving),
        (datasets_server::SERVICE_NAME, &detector),
        (detection_server::SERVICE_NAME, &detector),
        (policies_server::SERVICE_NAME, &detector),
        (alarms_server::SERVICE_NAME, &detector),
        (pruning_jobs_server::SERVICE_NAME, &trainer),
    ];
    let served = Rpcs::new().serve(guard).serve_whole(grpc_inference_service_server::SERVICE_NAME, protocol);
    let rpcs = forwarded
        .into_iter()
        .fold(served, |rpcs, (service, peer)| rpcs.serve_whole(service, Forward::new(peer.clone())));
    let (watched, reachable) = (serving.clone(), context.readiness.latch("serving"));
    context
        .tasks
        .spawn("watch serving", OnError::Shutdown, move |stop| upstream::watch(watched, reachable, stop));
    Ok(rpcs)
}
