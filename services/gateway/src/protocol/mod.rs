//! The Open Inference Protocol at the front door.
//!
//! What a guarded model answers and what it says of itself (`ModelInfer`, `ModelStreamInfer`, `ModelMetadata`,
//! `ModelConfig`) is guarded here; the same rpcs for unguarded models, and every other rpc, go to serving as they
//! came. The main output of a guarded model has one more class than the network: index M, "backdoored", which
//! holds the whole mass of a trojaned row, so that a client which reads nothing but argmax is safe.

mod describe;
mod error;
mod infer;
mod outputs;
mod raw;
mod rows;
mod stream;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gifthorse_api::inference::ModelInferRequest;
use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_api::status::status_of;
use gifthorse_service::request::Caller;
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use tower::{Service, service_fn};

use crate::detection::Detection;
use crate::directory::Directory;
use crate::forward::Forward;
use crate::inference::Inference;
use crate::policies::{Guarding, Policies};
use raw::{Named, RawCodec};

/// Headers that belong to the connection a request came on.
const HOP_HEADERS: [&str; 3] = ["content-length", "grpc-encoding", "grpc-accept-encoding"];

/// The unary rpcs whose answers depend on whether the model is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GuardedRpc {
    Infer,
    Metadata,
    Config,
}

impl GuardedRpc {
    const fn path(self) -> &'static str {
        match self {
            Self::Infer => "/inference.GRPCInferenceService/ModelInfer",
            Self::Metadata => "/inference.GRPCInferenceService/ModelMetadata",
            Self::Config => "/inference.GRPCInferenceService/ModelConfig",
        }
    }

    fn of(path: &str) -> Option<Self> {
        [Self::Infer, Self::Metadata, Self::Config].into_iter().find(|rpc| rpc.path() == path)
    }
}

const STREAM_INFER: &str = "/inference.GRPCInferenceService/ModelStreamInfer";

/// What guarding the protocol takes.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) directory: Arc<Directory>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) inference: Inference,
    pub(crate) detection: Detection,
    /// The largest message taken or answered, in bytes.
    pub(crate) message_bytes: usize,
}

impl Protocol {
    /// The policy of the named model. A name that cannot be one has none: serving refuses it.
    async fn policy(&self, named: &Named, caller: &Caller) -> Result<Guarding, Status> {
        match named.model.parse::<Identifier>() {
            Ok(model) => self.policies.find(&model, caller).await,
            Err(_) => Ok(None),
        }
    }

    async fn unary(&self, rpc: GuardedRpc, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let caller = Caller::of(&request);
        let named = Named::read(request.get_ref())?;
        let Some(policy) = self.policy(&named, &caller).await? else {
            let (metadata, _, message) = request.into_parts();
            return self.pass(rpc, metadata, message, &caller).await;
        };
        let message = match rpc {
            GuardedRpc::Infer => {
                let request = ModelInferRequest::decode(request.into_inner()).map_err(raw::undecodable)?;
                self.infer(&policy, request, &caller).await?.encode_to_vec()
            }
            GuardedRpc::Metadata => self.metadata(&model_name(&named)?, &caller).await?.encode_to_vec(),
            GuardedRpc::Config => self.config(&model_name(&named)?, &caller).await?.encode_to_vec(),
        };
        Ok(Response::new(message.into()))
    }

    /// Sends a request on to serving, undecoded, with its headers.
    async fn pass(
        &self,
        rpc: GuardedRpc,
        metadata: MetadataMap,
        message: Bytes,
        caller: &Caller,
    ) -> Result<Response<Bytes>, Status> {
        let serving = self.inference.serving();
        let mut outgoing = caller.request(message);
        let mut headers: HeaderMap = metadata.into_headers();
        for hop in HOP_HEADERS {
            headers.remove(hop);
        }
        headers.extend(std::mem::take(outgoing.metadata_mut()).into_headers());
        *outgoing.metadata_mut() = MetadataMap::from_headers(headers);
        let mut client =
            tonic::client::Grpc::new(serving.channel()).max_decoding_message_size(serving.message_bytes());
        let path = PathAndQuery::from_static(rpc.path());
        let answered = match client.ready().await {
            Ok(()) => client.unary(outgoing, path, RawCodec).await,
            Err(error) => Err(Status::from_error(error.into())),
        };
        answered.map_err(|failed| serving.explain(failed))
    }
}

/// The model and version that a request names.
fn model_name(named: &Named) -> Result<ModelName, Status> {
    let model = named.model.parse().map_err(|error| status_of(&error))?;
    let version = (!named.version.is_empty()).then(|| named.version.parse()).transpose();
    Ok(ModelName { model, version: version.map_err(|error| status_of(&error))? })
}

/// Serves `inference.GRPCInferenceService`. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct GuardedProtocol {
    protocol: Arc<Protocol>,
    forward: Forward,
}

impl GuardedProtocol {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let forward = Forward::new(protocol.inference.serving().clone());
        Self { protocol: Arc::new(protocol), forward }
    }
}

impl<B> Service<http::Request<B>> for GuardedProtocol
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (protocol, limit) = (Arc::clone(&self.protocol), self.protocol.message_bytes);
        let grpc = move || {
            tonic::server::Grpc::new(RawCodec)
                .max_decoding_message_size(limit)
                .max_encoding_message_size(limit)
        };
        let path = request.uri().path();
        if let Some(rpc) = GuardedRpc::of(path) {
            let request = request.map(Body::new);
            let service = service_fn(move |request| {
                let protocol = Arc::clone(&protocol);
                async move { protocol.unary(rpc, request).await }
            });
            Box::pin(async move { Ok(grpc().unary(service, request).await) })
        } else if path == STREAM_INFER {
            let request = request.map(Body::new);
            let service = service_fn(move |request| {
                let answers = stream::answers(Arc::clone(&protocol), request);
                async move { Ok::<_, Status>(Response::new(answers)) }
            });
            Box::pin(async move { Ok(grpc().streaming(service, request).await) })
        } else {
            self.forward.call(request)
        }
    }
}
