//! How the gateway asks serving for a network's own answer.

use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_service::client::Peer;
use gifthorse_service::request::Caller;
use tonic::Status;
use tonic::transport::Channel;

/// Asks serving. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    serving: Peer,
}

impl Inference {
    pub(crate) fn new(serving: Peer) -> Self {
        Self { serving }
    }

    /// One run of a network. It is given up when the future is dropped.
    pub(crate) async fn infer(
        &self,
        request: ModelInferRequest,
        caller: &Caller,
    ) -> Result<ModelInferResponse, Status> {
        let answer = self.client().model_infer(caller.request(request)).await;
        answer.map(tonic::Response::into_inner).map_err(|failed| self.serving.explain(failed))
    }

    /// A client of the Open Inference Protocol at serving.
    pub(crate) fn client(&self) -> GrpcInferenceServiceClient<Channel> {
        GrpcInferenceServiceClient::new(self.serving.channel())
            .max_decoding_message_size(self.serving.message_bytes())
    }

    /// Where it asks.
    pub(crate) fn serving(&self) -> &Peer {
        &self.serving
    }
}
