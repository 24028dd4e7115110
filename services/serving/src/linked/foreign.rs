//! The connection to one model of a foreign server.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_api::inference::{ModelInferRequest, ModelMetadataRequest, ModelMetadataResponse};
use gifthorse_service::Deadline;
use gifthorse_store::LinkRecord;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, TimeoutExpired};

use super::address::Address;
use super::answers::Rows;
use super::error::{LinkError, shortened};
use crate::configuration::LinkConfiguration;

/// A quiet connection is pinged this often, so that a vanished server is noticed between requests.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// So long from now.
    pub(super) fn of(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// So long from now, and not beyond the caller's deadline.
    pub(super) fn within(time: Duration, deadline: Option<Instant>) -> Self {
        let own = Self::of(time);
        Self(deadline.map_or(own.0, |deadline| deadline.min(own.0)))
    }

    /// When it ends.
    pub(super) fn end(self) -> Instant {
        self.0
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// A model of a foreign server. Connects at the first call and again after a loss; clones share the connection.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    link: LinkRecord,
    client: GrpcInferenceServiceClient<Channel>,
}

impl Foreign {
    /// The model at this link, if the operator allows its server. Called within a tokio runtime.
    pub(crate) fn new(link: LinkRecord, configuration: &LinkConfiguration) -> Result<Self, LinkError> {
        let not_allowed = || LinkError::NotAllowed { endpoint: shortened(&link.endpoint) };
        let address: Address = link.endpoint.parse().map_err(|_| not_allowed())?;
        if !configuration.endpoints.contains(&address) {
            return Err(not_allowed());
        }
        let channel = Endpoint::from_shared(address.url())
            .map_err(|_| not_allowed())?
            .connect_timeout(configuration.connect_timeout)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(configuration.connect_timeout)
            .tcp_nodelay(true)
            .connect_lazy();
        let bytes = configuration.message_bytes.as_usize();
        let client = GrpcInferenceServiceClient::new(channel)
            .max_decoding_message_size(bytes)
            .max_encoding_message_size(bytes);
        Ok(Self { link, client })
    }

    /// Where it is.
    pub(crate) fn link(&self) -> &LinkRecord {
        &self.link
    }

    /// What the server says of the model. Servers differ in how much they say.
    pub(crate) async fn metadata(&self, time: Duration) -> Result<ModelMetadataResponse, LinkError> {
        let request = ModelMetadataRequest {
            name: self.link.model_name.clone(),
            version: self.link.model_version.clone(),
        };
        let mut client = self.client.clone();
        self.call(Patience::of(time), request, async |request| client.model_metadata(request).await).await
    }

    /// The probabilities of these images: what the server answers, checked and, where it is logits, normalised.
    pub(crate) async fn ask(
        &self,
        shape: [i64; 4],
        data: Bytes,
        patience: Patience,
    ) -> Result<Rows, LinkError> {
        let LinkRecord { model_name, model_version, input, output, .. } = self.link.clone();
        let rows = shape[0] as usize;
        let request = ModelInferRequest {
            model_name,
            model_version,
            inputs: vec![InferInputTensor {
                name: input,
                datatype: "FP32".to_owned(),
                shape: shape.to_vec(),
                ..InferInputTensor::default()
            }],
            outputs: vec![InferRequestedOutputTensor {
                name: output,
                ..InferRequestedOutputTensor::default()
            }],
            raw_input_contents: vec![data],
            ..ModelInferRequest::default()
        };
        let mut client = self.client.clone();
        let response =
            self.call(patience, request, async |request| client.model_infer(request).await).await?;
        let mut answered = Rows::of(&response, &self.link.output, rows).map_err(|what| self.answer(&what))?;
        if let Some(row) = answered.not_finite() {
            let (endpoint, model) = self.names();
            return Err(LinkError::NotFinite { endpoint, model, row });
        }
        if self.link.logits {
            answered.softmax();
        }
        Ok(answered)
    }

    async fn call<Q, A>(
        &self,
        patience: Patience,
        message: Q,
        call: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, LinkError> {
        let mut request = Request::new(message);
        Deadline::after(patience.left()).apply(&mut request);
        // The header ends a call that has begun; connecting is ended here.
        match tokio::time::timeout_at(patience.end().into(), call(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.explain(&status)),
            Err(_elapsed) => Err(LinkError::Late { endpoint: self.link.endpoint.clone() }),
        }
    }

    /// Tells a server that is not there from one that refuses.
    fn explain(&self, status: &Status) -> LinkError {
        let (endpoint, model) = self.names();
        let causes: Vec<&(dyn StdError + 'static)> =
            std::iter::successors(StdError::source(status), |cause| StdError::source(*cause)).collect();
        let timed_out = causes.iter().any(|cause| cause.is::<TimeoutExpired>());
        if timed_out || status.code() == Code::DeadlineExceeded {
            return LinkError::Late { endpoint };
        }
        if causes.is_empty() {
            let passes = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::Aborted);
            let reason = format!("{:?}, {}", status.code(), shortened(status.message()));
            return LinkError::Refused { endpoint, model, reason, passes };
        }
        let last = causes.last().map(ToString::to_string).unwrap_or_default();
        LinkError::Unreachable {
            endpoint,
            reason: format!("{}: {}", shortened(status.message()), shortened(&last)),
        }
    }

    fn answer(&self, what: &str) -> LinkError {
        let (endpoint, model) = self.names();
        LinkError::Answer { endpoint, model, what: shortened(what) }
    }

    fn names(&self) -> (String, String) {
        (self.link.endpoint.clone(), self.link.model_name.clone())
    }
}
