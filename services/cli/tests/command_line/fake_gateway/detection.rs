//! Calibrates, scans and evaluates without looking: `models/small` gets a calibration that no policy can
//! use, and a scanned image is trojaned when its first pixel is red.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::status;
use gifthorse_api::v1;
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

use super::{Memory, Seen};

/// What every guarded export consists of.
pub(crate) const GUARDED: &[u8] = b"a guarded network";

pub(super) struct Detection(pub(super) Memory);

type Answer<T> = Result<Response<T>, Status>;
type Stream<T> = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

fn detector(name: &str) -> v1::CalibratedDetector {
    v1::CalibratedDetector {
        settings: Some(v1::DetectorSettings { detector: name.to_owned(), passes: 25, ..Default::default() }),
        calibration_images: 99,
        mean: -3.5,
        standard_deviation: 1.25,
        least_alpha: 0.01,
    }
}

fn calibration(name: &str, request: &v1::CalibrateRequest) -> v1::Calibration {
    let measured: Vec<&str> = if request.detectors.is_empty() {
        vec!["strip_entropy", "strip_margin", "region_paste"]
    } else {
        request.detectors.iter().map(|settings| settings.detector.as_str()).collect()
    };
    v1::Calibration {
        name: name.to_owned(),
        model_version: format!("{}/versions/1", request.model),
        dataset: request.dataset.clone(),
        overlays: 25,
        drawn_overlays: 25,
        detectors: measured.into_iter().map(detector).collect(),
        fused: request.detectors.is_empty().then(|| detector("fused")),
        create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        legacy_threshold: request.legacy_threshold,
        seed: request.seed,
        notes: vec!["channel_dropout was left out: the network is linked".to_owned()],
        ..Default::default()
    }
}

fn interval(estimate: f64) -> v1::Interval {
    v1::Interval { estimate, lower: 0.0, upper: 1.0, confidence: 0.95, observations: 20 }
}

fn evaluation(request: &v1::EvaluateRequest) -> v1::Evaluation {
    let triggered = request.triggered.iter().zip([0.25, 0.5]).map(|(set, rate)| v1::TriggeredEvaluation {
        dataset: set.dataset.clone(),
        target: set.target.unwrap_or(7),
        attack_success_rate: Some(interval(1.0)),
        residual_attack_success_rate: Some(interval(rate)),
        false_acceptance_rate: Some(interval(rate)),
        // Nothing was effective: there is no rate.
        false_acceptance_rate_effective: Some(v1::Interval::default()),
        auroc: 0.875,
        mean_passes: 12.5,
        images: 20,
        ..Default::default()
    });
    v1::Evaluation {
        model_version: format!("{}/versions/1", request.model),
        clean_accuracy: Some(interval(0.98)),
        guarded_clean_accuracy: Some(interval(0.97)),
        false_rejection_rate: Some(interval(0.01)),
        triggered: triggered.collect(),
        mean_passes_clean: 40.5,
        detectors: vec![
            v1::DetectorEvaluation {
                detector: "strip_entropy".to_owned(),
                threshold: 9.0,
                ..Default::default()
            },
            v1::DetectorEvaluation {
                detector: "fused".to_owned(),
                threshold: -2.5,
                decides: true,
                triggered: vec![v1::DetectorTriggeredEvaluation { auroc: 0.875, ..Default::default() }],
                ..Default::default()
            },
        ],
        alpha: 0.01,
        clean_dataset: request.clean_dataset.clone(),
        clean_images: 20,
        ..Default::default()
    }
}

fn progress(done: i64) -> v1::Progress {
    v1::Progress {
        stage: "scores".to_owned(),
        done,
        total: 2,
        unit: "images".to_owned(),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl v1::detection_server::Detection for Detection {
    type CalibrateStream = Stream<v1::CalibrateResponse>;

    async fn calibrate(&self, request: Request<v1::CalibrateRequest>) -> Answer<Self::CalibrateStream> {
        use v1::calibrate_response::Content;
        let request = request.into_inner();
        self.0.note(Seen::Calibrate(request.clone()));
        let name = if request.model == "models/small" { "calibrations/small" } else { "calibrations/c-1" };
        let made = calibration(name, &request);
        let contents =
            [Content::Progress(progress(1)), Content::Progress(progress(2)), Content::Calibration(made)];
        let messages = contents.map(|content| Ok(v1::CalibrateResponse { content: Some(content) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn get_calibration(&self, request: Request<v1::GetCalibrationRequest>) -> Answer<v1::Calibration> {
        let name = request.into_inner().name;
        if name == "calibrations/none" {
            return Err(status(ErrorCode::ResourceNotFound, "calibrations/none does not exist"));
        }
        Ok(Response::new(calibration(&name, &v1::CalibrateRequest::default())))
    }

    async fn list_calibrations(
        &self,
        request: Request<v1::ListCalibrationsRequest>,
    ) -> Answer<v1::ListCalibrationsResponse> {
        let v1::ListCalibrationsRequest { model, page_token, .. } = request.into_inner();
        let (name, next) =
            if page_token.is_empty() { ("calibrations/c-2", "second") } else { ("calibrations/c-1", "") };
        let request =
            v1::CalibrateRequest { model, dataset: "datasets/faces".to_owned(), ..Default::default() };
        Ok(Response::new(v1::ListCalibrationsResponse {
            calibrations: vec![calibration(name, &request)],
            next_page_token: next.to_owned(),
        }))
    }

    async fn delete_calibration(
        &self,
        request: Request<v1::DeleteCalibrationRequest>,
    ) -> Answer<v1::DeleteCalibrationResponse> {
        self.0.note(Seen::Delete(request.into_inner().name));
        Ok(Response::new(v1::DeleteCalibrationResponse {}))
    }

    async fn scan(&self, _: Request<v1::ScanRequest>) -> Answer<v1::ScanResponse> {
        Err(gifthorse_api::status::not_built("Scan"))
    }

    type ScanStreamStream = Stream<v1::ScanStreamResponse>;

    async fn scan_stream(
        &self,
        request: Request<Streaming<v1::ScanStreamRequest>>,
    ) -> Answer<Self::ScanStreamStream> {
        use v1::scan_stream_response::Outcome;
        let memory = self.0.clone();
        let answers = request.into_inner().map(move |message| {
            let v1::ScanStreamRequest { id, request } = message?;
            let request = request.ok_or_else(|| Status::invalid_argument("no request"))?;
            memory.note(Seen::Scan(request.clone()));
            Ok(v1::ScanStreamResponse { id, outcome: Some(Outcome::Response(found(&request)?)) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    type EvaluateStream = Stream<v1::EvaluateResponse>;

    async fn evaluate(&self, request: Request<v1::EvaluateRequest>) -> Answer<Self::EvaluateStream> {
        use v1::evaluate_response::Content;
        let request = request.into_inner();
        self.0.note(Seen::Evaluate(request.clone()));
        let contents = [Content::Progress(progress(1)), Content::Evaluation(evaluation(&request))];
        let messages = contents.map(|content| Ok(v1::EvaluateResponse { content: Some(content) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    type ExportGuardedModelStream = Stream<v1::ExportGuardedModelResponse>;

    async fn export_guarded_model(
        &self,
        request: Request<v1::ExportGuardedModelRequest>,
    ) -> Answer<Self::ExportGuardedModelStream> {
        use v1::export_guarded_model_response::Content;
        self.0.note(Seen::ExportGuarded(request.into_inner()));
        let file = v1::ArtefactFile {
            file_name: "guarded.onnx".to_owned(),
            size: GUARDED.len() as i64,
            sha256: hex::encode(Sha256::digest(GUARDED)),
        };
        let contents = [Content::File(file), Content::Chunk(GUARDED.into())];
        let messages = contents.map(|content| Ok(v1::ExportGuardedModelResponse { content: Some(content) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }
}

fn found(request: &v1::ScanRequest) -> Result<v1::ScanResponse, Status> {
    use v1::detector_finding::StopReason;
    let tensor = request.tensor.as_ref().ok_or_else(|| Status::invalid_argument("no tensor"))?;
    let red = tensor.data.first() == Some(&255);
    let (verdict, reason) = if red {
        (v1::verdict::Kind::Trojaned, StopReason::Exhausted)
    } else {
        (v1::verdict::Kind::Clean, StopReason::AcceptedEarly)
    };
    let finding = v1::DetectorFinding {
        detector: "fused".to_owned(),
        score: if red { -4.0 } else { 1.5 },
        score_is_bound: !red,
        p_value: if red { 0.01 } else { 0.5 },
        p_value_is_bound: !red,
        threshold: -2.5,
        rejected: red,
        passes_used: 60,
        stop_reason: reason.into(),
        evidence: red.then_some(v1::Region { top: 7, left: 0, height: 14, width: 47 }),
        votes: if request.votes { vec![v1::ClassVotes { label: 5, copies: 24 }] } else { Vec::new() },
        ..Default::default()
    };
    Ok(v1::ScanResponse {
        p_value: finding.p_value,
        p_value_is_bound: finding.p_value_is_bound,
        detectors: vec![finding],
        verdict: verdict.into(),
        network_label: 5,
        ..Default::default()
    })
}
