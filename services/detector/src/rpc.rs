//! The `Detection` service.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use gifthorse_api::name::ModelName;
use gifthorse_api::status::{code_of, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::calibrate_response::Content as Calibrated;
use gifthorse_api::v1::detection_server::Detection;
use gifthorse_api::v1::evaluate_response::Content as Evaluated;
use gifthorse_api::v1::scan_stream_response::Outcome;
use gifthorse_service::Tasks;
use gifthorse_service::request::Caller;
use gifthorse_store::{PageRequest, StoreError};
use tonic::{Request, Response, Status, Streaming};

use crate::calibration::{CalibrationRequest, Calibrations, Library, Maker, calibration_message};
use crate::error::DetectorError;
use crate::evaluation::{EvaluationRequest, Evaluator};
use crate::guarded::{GuardedExporter, Pieces};
use crate::job;
use crate::policy::{PolicyEntry, PolicyLogs, calibration_name};
use crate::scan::Scanner;

/// Images of one stream that are scanned at once; more wait in the connection.
const STREAM_WINDOW: usize = 8;

/// Serves `gifthorse.v1.Detection`.
#[derive(Debug, Clone)]
pub(crate) struct DetectionService {
    pub(crate) calibrations: Calibrations,
    pub(crate) policies: PolicyLogs,
    pub(crate) library: Arc<Library>,
    pub(crate) maker: Maker,
    pub(crate) scanner: Scanner,
    pub(crate) evaluator: Evaluator,
    pub(crate) exporter: GuardedExporter,
    pub(crate) tasks: Tasks,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands errors over")]
fn refused(error: DetectorError) -> Status {
    status_of(&error)
}

impl DetectionService {
    async fn list(
        &self,
        request: v1::ListCalibrationsRequest,
    ) -> Result<v1::ListCalibrationsResponse, DetectorError> {
        let page = PageRequest::new(request.page_size, request.page_token)?;
        let model: Option<ModelName> = match request.model.as_str() {
            "" => None,
            name => Some(name.parse()?),
        };
        let found = self.calibrations.list(&page).await?;
        let mut records = found.items;
        records.retain(|record| {
            model.as_ref().is_none_or(|model| {
                record.contents.model == model.model
                    && model.version.is_none_or(|version| version == record.contents.version)
            })
        });
        records.sort_by_key(|record| std::cmp::Reverse(record.create_time));
        Ok(v1::ListCalibrationsResponse {
            calibrations: records.iter().map(calibration_message).collect(),
            next_page_token: found.next_page_token,
        })
    }

    async fn delete(&self, name: &str) -> Result<(), DetectorError> {
        let name = calibration_name(name)?;
        let record = match self.calibrations.get(&name).await {
            Ok(record) => Some(record),
            // What is damaged can be removed as well; nobody knows whose it was.
            Err(StoreError::RecordInvalid { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(record) = record {
            let latest = self.policies.latest(&record.contents.model).await?;
            if let Some(latest) = latest
                && let PolicyEntry::Set(policy) = &latest.content
                && policy.detectors.iter().any(|member| member.calibration == name)
            {
                return Err(DetectorError::InUse {
                    calibration: name.to_string(),
                    policy: format!("policies/{}/versions/{}", latest.name, latest.number),
                });
            }
        }
        self.calibrations.delete(&name).await?;
        self.library.forget(&name);
        Ok(())
    }
}

#[tonic::async_trait]
impl Detection for DetectionService {
    type CalibrateStream = Answers<v1::CalibrateResponse>;
    type ScanStreamStream = Answers<v1::ScanStreamResponse>;
    type EvaluateStream = Answers<v1::EvaluateResponse>;
    type ExportGuardedModelStream = Pieces;

    async fn calibrate(
        &self,
        request: Request<v1::CalibrateRequest>,
    ) -> Result<Response<Self::CalibrateStream>, Status> {
        let request = CalibrationRequest::parse(request.into_inner()).map_err(refused)?;
        let maker = self.maker.clone();
        let answers = job::start(
            &self.tasks,
            "calibrate",
            |progress| v1::CalibrateResponse { content: Some(Calibrated::Progress(progress)) },
            |record| v1::CalibrateResponse {
                content: Some(Calibrated::Calibration(calibration_message(&record))),
            },
            move |meter, gone| async move { maker.make(request, meter, gone).await },
        );
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_calibration(
        &self,
        request: Request<v1::GetCalibrationRequest>,
    ) -> Result<Response<v1::Calibration>, Status> {
        let name = calibration_name(&request.into_inner().name).map_err(refused)?;
        let record = self.calibrations.get(&name).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(calibration_message(&record)))
    }

    async fn list_calibrations(
        &self,
        request: Request<v1::ListCalibrationsRequest>,
    ) -> Result<Response<v1::ListCalibrationsResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new).map_err(refused)
    }

    async fn delete_calibration(
        &self,
        request: Request<v1::DeleteCalibrationRequest>,
    ) -> Result<Response<v1::DeleteCalibrationResponse>, Status> {
        self.delete(&request.into_inner().name).await.map_err(refused)?;
        Ok(Response::new(v1::DeleteCalibrationResponse {}))
    }

    async fn scan(&self, request: Request<v1::ScanRequest>) -> Result<Response<v1::ScanResponse>, Status> {
        let caller = Caller::of(&request);
        self.scanner.scan(request.into_inner(), &caller).await.map(Response::new).map_err(refused)
    }

    async fn scan_stream(
        &self,
        request: Request<Streaming<v1::ScanStreamRequest>>,
    ) -> Result<Response<Self::ScanStreamStream>, Status> {
        let caller = Caller::of(&request);
        let scanner = self.scanner.clone();
        let answers = request.into_inner().map(move |item| {
            let (scanner, caller) = (scanner.clone(), caller.clone());
            async move {
                // An item that cannot be read ends the stream; one that is refused is answered in it.
                let item = item?;
                let answered = scanner.scan(item.request.unwrap_or_default(), &caller).await;
                let outcome = Some(match answered {
                    Ok(response) => Outcome::Response(response),
                    Err(error) => Outcome::Error(item_error(&status_of(&error))),
                });
                Ok(v1::ScanStreamResponse { id: item.id, outcome })
            }
        });
        Ok(Response::new(Box::pin(answers.buffered(STREAM_WINDOW))))
    }

    async fn evaluate(
        &self,
        request: Request<v1::EvaluateRequest>,
    ) -> Result<Response<Self::EvaluateStream>, Status> {
        let request = EvaluationRequest::parse(request.into_inner()).map_err(refused)?;
        let evaluator = self.evaluator.clone();
        let answers = job::start(
            &self.tasks,
            "evaluate",
            |progress| v1::EvaluateResponse { content: Some(Evaluated::Progress(progress)) },
            |evaluation| v1::EvaluateResponse { content: Some(Evaluated::Evaluation(evaluation)) },
            move |meter, gone| async move { evaluator.evaluate(request, meter, gone).await },
        );
        Ok(Response::new(Box::pin(answers)))
    }

    async fn export_guarded_model(
        &self,
        request: Request<v1::ExportGuardedModelRequest>,
    ) -> Result<Response<Pieces>, Status> {
        self.exporter.export(request.into_inner()).await.map(Response::new).map_err(refused)
    }
}

fn item_error(refused: &Status) -> v1::ItemError {
    v1::ItemError {
        status: refused.code().into(),
        reason: code_of(refused).map(|code| code.as_str().to_owned()).unwrap_or_default(),
        message: refused.message().to_owned(),
    }
}
