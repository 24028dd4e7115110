//! A network that a foreign server holds, run through serving, which knows where it is.

use std::time::Instant;

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::ModelInferRequest;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_defence::logits::log_probabilities;
use gifthorse_service::client::Peer;
use ndarray::{Array2, Array4};
use tokio::runtime::Handle;

use super::link::refused;
use super::run::{Patience, RunError};

/// A linked network. Its probabilities are turned into log-probabilities, whose differences are those of its
/// logits.
#[derive(Debug)]
pub(super) struct RemoteNetwork {
    pub(super) serving: Peer,
    pub(super) runtime: Handle,
    /// `models/NAME/versions/VERSION`, for messages.
    pub(super) name: String,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) classes: usize,
}

impl RemoteNetwork {
    /// Runs rows; called from a blocking thread.
    pub(super) fn logits(&self, rows: Array4<f32>, patience: &Patience) -> Result<Array2<f32>, RunError> {
        let count = rows.shape()[0];
        let request = self.request(&rows);
        drop(rows);
        let client = GrpcInferenceServiceClient::new(self.serving.channel());
        let mut client = client
            .max_decoding_message_size(self.serving.message_bytes())
            .max_encoding_message_size(self.serving.message_bytes());
        let mut request = tonic::Request::new(request);
        if let Some(deadline) = patience.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        let answered = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = patience.gone.cancelled() => Err(RunError::Cancelled),
                answered = client.model_infer(request) => {
                    answered.map_err(|failed| refused(&self.serving, failed))
                }
            }
        })?;
        let answer = answered.into_inner();
        let raw = answer.raw_output_contents.first().map(|raw| raw.as_chunks::<4>().0).unwrap_or_default();
        let values: Vec<f32> = raw.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let found = values.len();
        let unlike = || RunError::Answer {
            model: self.name.clone(),
            expected: format!("[{count}, {}]", self.classes),
            found: format!("{found} numbers"),
        };
        let probabilities = Array2::from_shape_vec((count, self.classes), values).map_err(|_| unlike())?;
        log_probabilities(probabilities)
            .map_err(|error| RunError::Remote { code: ErrorCode::ModelNotFinite, message: error.to_string() })
    }

    fn request(&self, rows: &Array4<f32>) -> ModelInferRequest {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        ModelInferRequest {
            model_name: self.model.clone(),
            model_version: self.version.clone(),
            inputs: vec![InferInputTensor {
                name: self.input.clone(),
                datatype: "FP32".to_owned(),
                shape: rows.shape().iter().map(|side| *side as i64).collect(),
                ..InferInputTensor::default()
            }],
            outputs: vec![InferRequestedOutputTensor {
                name: self.output.clone(),
                ..InferRequestedOutputTensor::default()
            }],
            raw_input_contents: vec![Bytes::from(bytes)],
            ..ModelInferRequest::default()
        }
    }
}
