//! One image, one answer.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_api::name::ModelName;
use gifthorse_api::status::{invalid_field, status, status_of};
use gifthorse_api::v1;
use gifthorse_dataset::prepare::ImageTensor;
use gifthorse_service::request::Caller;
use tonic::Status;

use crate::detection::{Detection, patient, scanned_override};
use crate::directory::{Directory, KnownVersion};
use crate::inference::Inference;
use crate::input::{Preparation, PreparedInput};
use crate::policies::Policies;
use crate::verdict::{BACKDOORED, Judgement, judged};

/// The most classes listed in one answer.
const MOST_LISTED: usize = 100;

/// Classifies images: directory, policy, preparation, inference beside detection, answer.
#[derive(Debug)]
pub(crate) struct Classifier {
    pub(crate) directory: Arc<Directory>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) preparation: Preparation,
    pub(crate) inference: Inference,
    pub(crate) detection: Detection,
}

/// What one version said of the image.
struct Answered {
    version: Arc<KnownVersion>,
    probabilities: Vec<f32>,
    judgement: Option<Judgement>,
    timings: v1::StageTimings,
}

impl Classifier {
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
        let request = &request;
        // On the heap: with two clients in it, it is too large to be moved about.
        let work = move |version| Box::pin(self.answered(version, request, caller));
        let mut answered = self.directory.answered_by(&name, caller, work).await?;
        answered.timings.total = Some(duration(arrived.elapsed()));
        Ok(answer_of(answered, listed.max(1)))
    }

    /// What this version says. The image is prepared for each version anew: another one may take other pixels.
    async fn answered(
        &self,
        version: Arc<KnownVersion>,
        request: &v1::ClassifyRequest,
        caller: &Caller,
    ) -> Result<Answered, Status> {
        let policy = self.policies.find(&version.model, caller).await?;
        let (input, overrides) = (request.input.clone(), request.preprocessing_override);
        let prepared = self.preparation.prepare(input, overrides, &version.preprocessing).await?;
        let data = Bytes::from(prepared.tensor.to_le_bytes());
        let inferring =
            timed(self.inference.infer(infer_request(&version, &prepared.tensor, data.clone()), caller));
        let (inference, detection) = match &policy {
            None => (inferring.await, None),
            Some(policy) => {
                let scan = v1::ScanRequest {
                    model: version.watched_name(),
                    tensor: Some(scanned_tensor(&prepared.tensor, data)),
                    preprocessing_override: scanned_override(request.preprocessing_override),
                    exact: request.exact,
                    ..v1::ScanRequest::default()
                };
                let caller = patient(caller, policy);
                let scanning = async { Ok(timed(self.detection.scan(scan, &caller)).await) };
                // Without the network's answer no verdict matters: its failure ends the scan.
                let inferring = async {
                    let (answer, took) = inferring.await;
                    answer.map(|answer| (answer, took))
                };
                let ((answer, took), (scanned, scan_took)) = tokio::try_join!(inferring, scanning)?;
                ((Ok(answer), took), Some((judged(policy, scanned)?, scan_took)))
            }
        };
        let (answer, inference_took) = inference;
        let probabilities = probabilities(&answer?)?;
        if policy.is_some() && probabilities.len() != version.class_count {
            let (found, classes) = (probabilities.len(), version.class_count);
            let message = format!("serving answered {found} probabilities for a model of {classes} classes");
            return Err(status(ErrorCode::Internal, &message));
        }
        let (judgement, detection_took) =
            detection.map_or((None, Duration::ZERO), |(j, took)| (Some(j), took));
        let timings = timings(&prepared, inference_took, detection_took);
        Ok(Answered { version, probabilities, judgement, timings })
    }
}

/// The output of a future, and how long it took from its first poll.
async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let started = Instant::now();
    let output = future.await;
    (output, started.elapsed())
}

fn infer_request(version: &KnownVersion, tensor: &ImageTensor, data: Bytes) -> ModelInferRequest {
    ModelInferRequest {
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
        raw_input_contents: vec![data],
        ..ModelInferRequest::default()
    }
}

/// The very tensor that goes to serving, without its batch axis.
fn scanned_tensor(tensor: &ImageTensor, data: Bytes) -> v1::ImageTensor {
    v1::ImageTensor {
        shape: tensor.shape()[1..].iter().map(|axis| *axis as i32).collect(),
        content: v1::image_tensor::Content::PreparedFp32.into(),
        data,
    }
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

fn timings(prepared: &PreparedInput, inference: Duration, detection: Duration) -> v1::StageTimings {
    v1::StageTimings {
        decode: Some(duration(prepared.decode)),
        preprocess: Some(duration(prepared.preprocess)),
        inference: Some(duration(inference)),
        detection: Some(duration(detection)),
        total: None,
    }
}

fn answer_of(answered: Answered, listed: usize) -> v1::ClassifyResponse {
    let Answered { version, probabilities, judgement, timings } = answered;
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
    let unguarded = v1::ClassifyResponse {
        model_version: version.resource_name(),
        label: label as i32,
        label_name: version.class_name(label),
        probability: f64::from(probabilities[label]),
        verdict: v1::verdict::Kind::Unguarded.into(),
        network_label: label as i32,
        repaired_label: version.suspect.is_some().then_some(label as i32),
        top,
        timings: Some(timings),
        ..v1::ClassifyResponse::default()
    };
    let Some(judgement) = judgement else { return unguarded };
    let guarded = v1::ClassifyResponse {
        verdict: judgement.kind.into(),
        p_value: judgement.p_value,
        p_value_is_bound: judgement.p_value_is_bound,
        policy: judgement.policy,
        detectors: judgement.detectors,
        // Of a pair, the scan knows what the suspect says.
        network_label: judgement.suspect_label.filter(|_| version.suspect.is_some()).unwrap_or(label as i32),
        ..unguarded
    };
    if judgement.kind != v1::verdict::Kind::Trojaned {
        return guarded;
    }
    let index_m = version.class_count as i32;
    v1::ClassifyResponse { label: index_m, label_name: BACKDOORED.to_owned(), ..guarded }
}

fn duration(elapsed: Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: elapsed.as_secs() as i64, nanos: elapsed.subsec_nanos() as i32 }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::v1::verdict::Kind;
    use gifthorse_dataset::preprocessing::Layout;
    use gifthorse_dataset::wire::{self, NetworkInput};

    use super::*;

    fn answered(probabilities: &[f32], verdict: Option<Kind>) -> Answered {
        let input = NetworkInput { height: 2, width: 2, channels: 3, layout: Layout::Nhwc };
        let version = KnownVersion {
            model: "m".parse().unwrap(),
            version: "3".parse().unwrap(),
            suspect: None,
            preprocessing: wire::complete(&v1::Preprocessing::default(), input).unwrap(),
            class_count: 4,
            class_names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            input: "input".to_owned(),
            output: "output".to_owned(),
        };
        let judgement = verdict.map(|kind| Judgement {
            kind,
            p_value: Some(0.25),
            p_value_is_bound: true,
            suspect_label: Some(2),
            detectors: Vec::new(),
            policy: "policies/m/versions/1".to_owned(),
        });
        let timings = v1::StageTimings::default();
        Answered { version: Arc::new(version), probabilities: probabilities.to_vec(), judgement, timings }
    }

    #[test]
    fn the_best_classes_come_first_and_ties_go_to_the_lower_index() {
        let answer = answer_of(answered(&[0.1, 0.4, 0.1, 0.4], None), 3);
        assert_eq!(answer.model_version, "models/m/versions/3");
        assert_eq!((answer.label, answer.network_label, answer.label_name.as_str()), (1, 1, "b"));
        assert_eq!((answer.verdict(), answer.p_value), (Kind::Unguarded, None));
        assert_eq!(answer.top.iter().map(|class| class.label).collect::<Vec<_>>(), [1, 3, 0]);
    }

    #[test]
    fn a_pair_answers_with_the_repaired_class_and_shows_both() {
        let pair = |verdict| {
            let mut answered = answered(&[0.1, 0.6, 0.1, 0.2], verdict);
            if let Some(version) = Arc::get_mut(&mut answered.version) {
                version.suspect = "1".parse().ok();
            }
            assert_eq!(answered.version.watched_name(), "models/m/versions/1");
            let answer = answer_of(answered, 1);
            assert_eq!(answer.model_version, "models/m/versions/3");
            (answer.label, answer.network_label, answer.repaired_label)
        };
        assert_eq!(pair(Some(Kind::Clean)), (1, 2, Some(1)));
        assert_eq!(pair(Some(Kind::Trojaned)), (4, 2, Some(1)));
        assert_eq!(pair(None), (1, 1, Some(1)), "without a scan nobody asked the suspect");
    }

    #[test]
    fn a_trojaned_input_is_index_m_beside_the_network_s_own_answer() {
        let answer = answer_of(answered(&[0.1, 0.6, 0.1, 0.2], Some(Kind::Trojaned)), 1);
        assert_eq!((answer.label, answer.label_name.as_str()), (4, BACKDOORED));
        assert_eq!((answer.network_label, answer.top[0].label), (1, 1));
        assert_eq!(answer.probability.to_bits(), f64::from(0.6_f32).to_bits());
        assert_eq!((answer.p_value, answer.p_value_is_bound), (Some(0.25), true));
        for kind in [Kind::Clean, Kind::Undecided] {
            let answer = answer_of(answered(&[0.1, 0.6, 0.1, 0.2], Some(kind)), 1);
            assert_eq!((answer.verdict(), answer.label, answer.label_name.as_str()), (kind, 1, "b"));
        }
    }
}
