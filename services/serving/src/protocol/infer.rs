//! `ModelInfer`: one request through the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gifthorse_api::inference::infer_parameter::ParameterChoice;
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_api::status::status_of;
use gifthorse_engine::InferRequest;
use gifthorse_service::Deadline;
use tonic::Status;

use super::error::ProtocolError;
use super::tensors::{put_outputs, take_inputs};
use crate::repository::{Repository, Served};

/// How often a request looks for its version again when that was unloaded under it. Each time another
/// promotion must have come in between.
const ATTEMPTS: usize = 4;

/// Runs one request. `deadline` is the caller's own; a `timeout` parameter (microseconds) may shorten it.
pub(super) async fn infer(
    repository: &Arc<Repository>,
    mut request: ModelInferRequest,
    deadline: Option<Deadline>,
) -> Result<ModelInferResponse, Status> {
    let deadline = earliest(deadline.map(|deadline| deadline.instant().into_std()), &request)?;
    if let Some(output) = request.outputs.iter().find(|output| !output.parameters.is_empty()) {
        let parameter = output.parameters.keys().next().cloned().unwrap_or_default();
        let hint = "outputs are answered whole; ask without parameters";
        return Err(status_of(&ProtocolError::Parameter { parameter, hint }));
    }
    // Before its tensors, so that a model that is not there is said to be missing whatever was sent.
    let mut served = current(repository, &request).await?;
    let (inputs, form) = take_inputs(&mut request)?;
    let outputs: Vec<String> =
        std::mem::take(&mut request.outputs).into_iter().map(|output| output.name).collect();
    let mut attempts = 1;
    let answered = loop {
        let inference = InferRequest { inputs: inputs.clone(), outputs: outputs.clone(), deadline };
        match served.runner.infer(inference).await {
            // Unloaded between the look-up and the queue, which has accepted nothing.
            Err(error) if error.is_unloaded() && attempts < ATTEMPTS => {
                attempts += 1;
                served = current(repository, &request).await?;
            }
            Err(error) if error.is_unloaded() => {
                let model = request.model_name.clone();
                let error = ProtocolError::NotReady { model, state: "unloading", reason: String::new() };
                return Err(status_of(&error));
            }
            answered => break answered.map_err(|error| status_of(&error))?,
        }
    };
    let (outputs, raw_output_contents) = put_outputs(answered, form);
    Ok(ModelInferResponse {
        model_name: request.model_name,
        model_version: served.version.to_string(),
        id: request.id,
        outputs,
        raw_output_contents,
        ..ModelInferResponse::default()
    })
}

async fn current(repository: &Arc<Repository>, request: &ModelInferRequest) -> Result<Arc<Served>, Status> {
    let found = repository.find_current(&request.model_name, &request.model_version).await;
    found.map_err(|error| status_of(&error))
}

fn earliest(deadline: Option<Instant>, request: &ModelInferRequest) -> Result<Option<Instant>, Status> {
    let Some(parameter) = request.parameters.get("timeout") else { return Ok(deadline) };
    let microseconds = match parameter.parameter_choice {
        Some(ParameterChoice::Int64Param(value)) => u64::try_from(value).ok(),
        Some(ParameterChoice::Uint64Param(value)) => Some(value),
        _ => None,
    };
    let Some(microseconds) = microseconds else {
        let hint = "give a whole number of microseconds, 0 for none";
        return Err(status_of(&ProtocolError::Parameter { parameter: "timeout".to_owned(), hint }));
    };
    // A time beyond what the clock can hold is no limit at all.
    let timeout =
        (microseconds > 0).then(|| Instant::now().checked_add(Duration::from_micros(microseconds))).flatten();
    Ok([deadline, timeout].into_iter().flatten().min())
}

#[cfg(test)]
mod tests {
    use gifthorse_api::inference::InferParameter;

    use super::*;

    fn with_timeout(choice: ParameterChoice) -> ModelInferRequest {
        let parameter = InferParameter { parameter_choice: Some(choice) };
        ModelInferRequest {
            parameters: [("timeout".to_owned(), parameter)].into(),
            ..ModelInferRequest::default()
        }
    }

    #[test]
    fn the_earlier_of_two_deadlines_counts() {
        let far = Instant::now() + Duration::from_hours(1);
        let none = ModelInferRequest::default();
        assert_eq!(earliest(Some(far), &none).unwrap(), Some(far));
        let soon = with_timeout(ParameterChoice::Uint64Param(1_000));
        assert!(earliest(Some(far), &soon).unwrap().unwrap() < far);
        let unlimited = with_timeout(ParameterChoice::Int64Param(0));
        assert_eq!(earliest(None, &unlimited).unwrap(), None);
        let endless = with_timeout(ParameterChoice::Uint64Param(u64::MAX));
        assert!(earliest(None, &endless).is_ok());
        assert!(earliest(None, &with_timeout(ParameterChoice::Int64Param(-1))).is_err());
        assert!(earliest(None, &with_timeout(ParameterChoice::BoolParam(true))).is_err());
    }
}
