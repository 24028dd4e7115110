//! Guarded `ModelInfer`: the network's answer and a verdict on every row, at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use gifthorse_api::inference::infer_parameter::ParameterChoice;
use gifthorse_api::inference::model_infer_request::InferRequestedOutputTensor;
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_api::status::status_of;
use gifthorse_api::v1;
use gifthorse_api::v1::policy::ProtocolAnswer;
use gifthorse_service::Deadline;
use gifthorse_service::request::Caller;
use tonic::Status;

use super::error::ProtocolError;
use super::outputs::{Found, wanted};
use super::raw::Named;
use super::rows::{Rows, probabilities};
use super::{Protocol, model_name};
use crate::detection::patient;
use crate::directory::KnownVersion;
use crate::verdict::{Judgement, judged};

/// Rows of one request that are scanned at once.
const ROWS: usize = 8;

impl Protocol {
    /// Answers one request to a guarded model.
    pub(super) async fn infer(
        &self,
        policy: &v1::Policy,
        request: ModelInferRequest,
        caller: &Caller,
    ) -> Result<ModelInferResponse, Status> {
        let caller = &hurried(caller, &request);
        let version = request.model_version.clone();
        let name = model_name(&Named { model: request.model_name.clone(), version })?;
        let request = &request;
        let work = move |version| Box::pin(self.answered(policy, version, request, caller));
        self.directory.answered_by(&name, caller, work).await
    }

    async fn answered(
        &self,
        policy: &v1::Policy,
        version: Arc<KnownVersion>,
        request: &ModelInferRequest,
        caller: &Caller,
    ) -> Result<ModelInferResponse, Status> {
        let wanted = wanted(&request.outputs, &version).map_err(|error| status_of(&error))?;
        let asked = ModelInferRequest {
            model_version: version.version.to_string(),
            outputs: vec![InferRequestedOutputTensor {
                name: version.output.clone(),
                ..InferRequestedOutputTensor::default()
            }],
            ..request.clone()
        };
        let rows = match Rows::of(request, &version) {
            Ok(rows) => rows,
            Err(error) => {
                // What is wrong with a request, serving says best. Its answer to one that it takes stays here.
                self.inference.infer(asked, caller).await?;
                return Err(status_of(&error));
            }
        };
        // Without the network's answer no verdict matters: its failure ends the scans.
        let scanning = async { Ok(self.judgements(policy, &version, &rows, caller).await) };
        let (answer, judgements) = tokio::try_join!(self.inference.infer(asked, caller), scanning)?;
        let judgements = judgements?;
        let probabilities =
            probabilities(&answer, &version, rows.count()).map_err(|error| status_of(&error))?;
        if policy.protocol_answer() == ProtocolAnswer::RefuseRequest
            && let Some(row) = judgements.iter().position(Judgement::is_trojaned)
        {
            let error = ProtocolError::Trojaned { row, policy: judgements[row].policy.clone() };
            return Err(status_of(&error));
        }
        let found = Found { version: &version, probabilities: &probabilities, judgements: &judgements };
        let typed = answer.raw_output_contents.is_empty();
        let (outputs, raw_output_contents) = found.put(&wanted, typed);
        Ok(ModelInferResponse { outputs, raw_output_contents, ..answer })
    }

    /// A verdict on every row, in order.
    async fn judgements(
        &self,
        policy: &v1::Policy,
        version: &KnownVersion,
        rows: &Rows,
        caller: &Caller,
    ) -> Result<Vec<Judgement>, Status> {
        let caller = patient(caller, policy);
        let scans = (0..rows.count()).map(|row| {
            let request = v1::ScanRequest {
                model: version.watched_name(),
                tensor: Some(rows.tensor(row)),
                ..v1::ScanRequest::default()
            };
            let caller = &caller;
            async move { judged(policy, self.detection.scan(request, caller).await) }
        });
        futures::stream::iter(scans).buffered(ROWS).try_collect().await
    }
}

/// The caller with the `timeout` parameter of its request, in microseconds. One that is none is serving's to
/// refuse.
fn hurried(caller: &Caller, request: &ModelInferRequest) -> Caller {
    let choice = request.parameters.get("timeout").and_then(|parameter| parameter.parameter_choice.as_ref());
    let microseconds = match choice {
        Some(ParameterChoice::Int64Param(value)) => u64::try_from(*value).ok(),
        Some(ParameterChoice::Uint64Param(value)) => Some(*value),
        _ => None,
    };
    let mut hurried = caller.clone();
    // Times beyond a year are no limit, and would be beyond the clock some day.
    let timeout = microseconds.filter(|value| *value > 0).map(Duration::from_micros);
    if let Some(timeout) = timeout.filter(|timeout| *timeout < Duration::from_hours(24 * 365)) {
        let deadline = Deadline::after(timeout);
        hurried.deadline = Some(caller.deadline.map_or(deadline, |own| own.min(deadline)));
    }
    hurried
}

#[cfg(test)]
mod tests {
    use gifthorse_api::inference::InferParameter;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_deadlines_counts() {
        let left = |own: Option<u64>, choice: ParameterChoice| {
            let mut caller = Caller::default();
            caller.deadline = own.map(|seconds| Deadline::after(Duration::from_secs(seconds)));
            let parameter = InferParameter { parameter_choice: Some(choice) };
            let parameters = [("timeout".to_owned(), parameter)].into();
            let request = ModelInferRequest { parameters, ..ModelInferRequest::default() };
            hurried(&caller, &request).deadline.map(|deadline| deadline.remaining().as_secs())
        };
        assert_eq!(left(None, ParameterChoice::Int64Param(2_000_000)), Some(2));
        assert_eq!(left(Some(1), ParameterChoice::Uint64Param(2_000_000)), Some(1));
        assert_eq!(left(Some(3), ParameterChoice::Uint64Param(2_000_000)), Some(2));
        for none in [
            ParameterChoice::Int64Param(0),
            ParameterChoice::Int64Param(-1),
            ParameterChoice::Uint64Param(u64::MAX),
            ParameterChoice::BoolParam(true),
        ] {
            assert_eq!(left(Some(3), none), Some(3));
        }
    }
}
