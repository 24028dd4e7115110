//! One image, one answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_api::name::{ModelName, Version};
use gifthorse_api::status::{code_of, invalid_field, status, status_of};
use gifthorse_api::v1;
use gifthorse_dataset::prepare::ImageTensor;
use gifthorse_service::client::Peer;
use gifthorse_service::request::Caller;
use tonic::Status;

use crate::directory::{Directory, KnownVersion};
use crate::input::Preparation;

/// The most classes listed in one answer.
const MOST_LISTED: usize = 100;

/// How often the promoted version is looked up for one request. Each time another promotion must have come
/// in between.
const ATTEMPTS: usize = 4;

/// Classifies images: directory, preparation, inference, answer.
#[derive(Debug)]
pub(crate) struct Classifier {
    directory: Directory,
    preparation: Preparation,
    serving: Peer,
}

impl Classifier {
    pub(crate) fn new(directory: Directory, preparation: Preparation, serving: Peer) -> Self {
        Self { directory, preparation, serving }
    }

    /// Classifies one image. The work is abandoned when the future is dropped.
    pub(crate) async fn classify(
        &self,
        request: v1::ClassifyRequest,
        caller: &Caller,
    ) -> Result<v1::ClassifyResponse, Status> {
        let arrived = Instant::now();
        let name: ModelName = request.model.parse().map_err(|error| status_of(&error))?;
        let listed =
            usize::try_from(request.top_k).ok().filter(|count| *count <= MOST_LISTED).ok_or_else(|| {
                invalid_field("top_k", &format!("is {}, use 0 to {MOST_LISTED}", request.top_k))
            })?;
        let mut attempts = 1;
        let mut gone: Option<(Version, Status)> = None;
        let (version, prepared, started, answer) = loop {
            let version = self.directory.find(&name, caller).await?;
            // Asking the same version again helps nobody when serving is in trouble.
            if let Some(gone) = gone.filter(|(tried, _): &(Version, Status)| *tried == version.version) {
                return Err(gone.1);
            }
            // Prepared again each time: the version that answers now may take other pixels.
            let (input, overrides) = (request.input.clone(), request.preprocessing_override);
            let prepared = self.preparation.prepare(input, overrides, &version.preprocessing).await?;
            let started = Instant::now();
            match self.infer(&version, &prepared.tensor, caller).await {
                // The promoted version was replaced and unloaded after it had been looked up.
                Err(failed) if name.version.is_none() && is_gone(&failed) && attempts < ATTEMPTS => {
                    attempts += 1;
                    gone = Some((version.version, failed));
                    self.directory.forget_promotion(&name.model);
                }
                answered => break (version, prepared, started, answered?),
            }
        };
        let inference = started.elapsed();
        let probabilities = probabilities(&answer)?;
        let timings = v1::StageTimings {
            decode: Some(duration(prepared.decode)),
            preprocess: Some(duration(prepared.preprocess)),
            inference: Some(duration(inference)),
            detection: Some(duration(Duration::ZERO)),
            total: Some(duration(arrived.elapsed())),
        };
        Ok(answer_of(&version, &probabilities, listed.max(1), timings))
    }

    async fn infer(
        &self,
        version: &Arc<KnownVersion>,
        tensor: &ImageTensor,
        caller: &Caller,
    ) -> Result<ModelInferResponse, Status> {
        let request = caller.request(ModelInferRequest {
            model_name: version.model.to_string(),
            model_version: version.version.to_string(),
            inputs: vec![InferInputTensor {
                name: version.input.clone(),
                datatype: "FP32".to_owned(),
                shape: tensor.shape().iter().map(|axis| *axis as i64).collect(),
                ..InferInputTensor::default()
            }],
            outputs: vec![InferRequestedOutputTensor {
                name: version.output.clone(),
                ..InferRequestedOutputTensor::default()
            }],
            raw_input_contents: vec![Bytes::from(tensor.to_le_bytes())],
            ..ModelInferRequest::default()
        });
        GrpcInferenceServiceClient::new(self.serving.channel())
            .max_decoding_message_size(self.serving.message_bytes())
            .model_infer(request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(|failed| self.serving.explain(failed))
    }
}

fn is_gone(failed: &Status) -> bool {
    matches!(code_of(failed), Some(ErrorCode::ModelVersionNotFound | ErrorCode::ModelNotReady))
}

fn probabilities(answer: &ModelInferResponse) -> Result<Vec<f32>, Status> {
    let raw = answer.raw_output_contents.first().map(|raw| raw.as_chunks::<4>().0);
    let values: Vec<f32> = raw.unwrap_or_default().iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        let message = format!("serving answered no finite probabilities for {:?}", answer.model_name);
        return Err(status(ErrorCode::ModelNotFinite, &message));
    }
    Ok(values)
}

fn answer_of(
    version: &KnownVersion,
    probabilities: &[f32],
    listed: usize,
    timings: v1::StageTimings,
) -> v1::ClassifyResponse {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    // Ties go to the lower index, like argmax.
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
    let top: Vec<v1::ClassProbability> = order
        .iter()
        .take(listed)
        .map(|label| v1::ClassProbability {
            label: *label as i32,
            label_name: version.class_name(*label),
            probability: f64::from(probabilities[*label]),
        })
        .collect();
    let label = order[0];
    v1::ClassifyResponse {
        model_version: version.resource_name(),
        label: label as i32,
        label_name: version.class_name(label),
        probability: f64::from(probabilities[label]),
        verdict: v1::verdict::Kind::Unguarded.into(),
        network_label: label as i32,
        top,
        timings: Some(timings),
        ..v1::ClassifyResponse::default()
    }
}

fn duration(elapsed: Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: elapsed.as_secs() as i64, nanos: elapsed.subsec_nanos() as i32 }
}

#[cfg(test)]
mod tests {
    use gifthorse_dataset::preprocessing::Layout;
    use gifthorse_dataset::wire::{self, NetworkInput};

    use super::*;

    #[test]
    fn the_best_classes_come_first_and_ties_go_to_the_lower_index() {
        let input = NetworkInput { height: 2, width: 2, channels: 3, layout: Layout::Nhwc };
        let version = KnownVersion {
            model: "m".parse().unwrap(),
            version: "3".parse().unwrap(),
            preprocessing: wire::complete(&v1::Preprocessing::default(), input).unwrap(),
            class_names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            input: "input".to_owned(),
            output: "output".to_owned(),
        };
        let answer = answer_of(&version, &[0.1, 0.4, 0.1, 0.4], 3, v1::StageTimings::default());
        assert_eq!(answer.model_version, "models/m/versions/3");
        assert_eq!((answer.label, answer.network_label, answer.label_name.as_str()), (1, 1, "b"));
        assert_eq!(answer.verdict(), v1::verdict::Kind::Unguarded);
        assert_eq!(answer.top.iter().map(|class| class.label).collect::<Vec<_>>(), [1, 3, 0]);
    }
}
