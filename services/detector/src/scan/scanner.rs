//! One scan, from the message to the answer.

use std::sync::Arc;

use gifthorse_api::name::ModelName;
use gifthorse_api::v1;
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_dataset::{wire, wire_tensor};
use gifthorse_service::request::Caller;
use ndarray::{Array3, Axis};
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use crate::decision::Decision;
use crate::error::DetectorError;
use crate::network::{Patience, Run, rows_of};
use crate::policy::{Deciders, calibration_name, guarantee, level};

/// Scans inputs.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    pub(crate) deciders: Arc<Deciders>,
    pub(crate) admission: Admission,
}

impl Scanner {
    /// Scans one input. The work ends at its next batch when the future is dropped.
    pub(crate) async fn scan(
        &self,
        request: v1::ScanRequest,
        caller: &Caller,
    ) -> Result<v1::ScanResponse, DetectorError> {
        let decision = self.decision(&request).await?;
        let tensor =
            request.tensor.ok_or_else(|| DetectorError::field("tensor", "is missing: send one image"))?;
        let overrides = request.preprocessing_override.unwrap_or_default();
        let image = prepared(&tensor, &overrides, decision.network.preprocessing())?;
        let permit = self.admission.enter().await?;
        let gone = CancellationToken::new();
        let _gone_when_dropped = gone.clone().drop_guard();
        let deadline = caller.deadline.map(|deadline| deadline.instant().into_std());
        let run = Run { network: Arc::clone(&decision.network), patience: Patience { deadline, gone } };
        let (exact, votes) = (request.exact, request.votes);
        let work = move || {
            let _permit = permit;
            decision.judge(&run, &image, exact).map(|judgement| judgement.message(&decision, votes))
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| DetectorError::Internal("scanning"))?
    }

    async fn decision(&self, request: &v1::ScanRequest) -> Result<Arc<Decision>, DetectorError> {
        if request.calibration.is_empty() {
            let name: ModelName = request.model.parse()?;
            return self.deciders.of_policy(&name).await;
        }
        let calibration = calibration_name(&request.calibration)?;
        let level = level("alpha", request.alpha)?;
        let guarantee = guarantee("confidence", request.confidence)?;
        let decision =
            self.deciders.of_calibration(&calibration, &request.detector, level, guarantee).await?;
        if !request.model.is_empty() {
            let name: ModelName = request.model.parse()?;
            let record = decision.network.record();
            let same =
                name.model == record.model && name.version.is_none_or(|version| version == record.version);
            if !same {
                return Err(DetectorError::Mismatch {
                    calibration: calibration.to_string(),
                    fault: format!("was made for {}", decision.network.resource_name()),
                    model: name.to_string(),
                });
            }
        }
        Ok(Arc::new(decision))
    }
}

/// The image as the network takes it.
///
/// An override says how the caller's pixels differ from what the version's record expects; what is scanned is
/// the prepared image, which lies in the same space whatever the override.
fn prepared(
    tensor: &v1::ImageTensor,
    overrides: &v1::PreprocessingOverride,
    record: &Preprocessing,
) -> Result<Array3<f32>, DetectorError> {
    let record = wire::overridden(record, overrides)?;
    let image = wire_tensor::prepare(tensor, overrides.layout, &record)?;
    Ok(rows_of(image).index_axis_move(Axis(0), 0))
}
