//! `Evaluate`, from the request to the evaluation.

use std::sync::Arc;
use std::time::Instant;

use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use gifthorse_dataset::wire;
use gifthorse_store::Datasets;
use tokio_util::sync::CancellationToken;

use super::illustrate::illustrations;
use super::measured::{MeasuredSet, Measuring};
use super::request::EvaluationRequest;
use super::summary::Summary;
use crate::calibration::Loaded;
use crate::decision::Decision;
use crate::error::DetectorError;
use crate::images::Images;
use crate::job::Meter;
use crate::network::{Networks, Run};
use crate::policy::Deciders;

/// Clean images that are scanned one after the other to tell how long a scan takes.
const TIMED: usize = 16;

/// Measures detectors and guarded answers.
#[derive(Debug, Clone)]
pub(crate) struct Evaluator {
    pub(crate) datasets: Datasets,
    pub(crate) networks: Arc<Networks>,
    pub(crate) deciders: Arc<Deciders>,
    /// Images that are measured at once.
    pub(crate) workers: usize,
}

/// The data sets of an evaluation, open.
struct Sets {
    clean: Images,
    triggered: Vec<Images>,
}

impl Evaluator {
    /// Measures what the request asks for.
    pub(crate) async fn evaluate(
        &self,
        request: EvaluationRequest,
        meter: Arc<Meter>,
        gone: CancellationToken,
    ) -> Result<v1::Evaluation, DetectorError> {
        meter.stage("load", 0, "data sets");
        let decision = self.decision(&request).await?;
        let answering = self.networks.answering(&request.model, decision.network.record()).await?;
        let mut calibrations: Vec<Arc<Loaded>> = Vec::new();
        for (part, _) in &decision.parts {
            if !calibrations.iter().any(|one| one.name() == part.calibration.name()) {
                calibrations.push(Arc::clone(&part.calibration));
            }
        }
        let clean = self.open(&request.clean, &request, &decision).await?;
        let mut triggered = Vec::with_capacity(request.triggered.len());
        for set in &request.triggered {
            triggered.push(self.open(&set.dataset, &request, &decision).await?);
        }
        let sets = Sets { clean, triggered };
        let workers = self.workers;
        let work = move || {
            let started = Instant::now();
            let run = Run::until(Arc::clone(&decision.network), gone.clone());
            let answering = answering.map(|network| Run::until(network, gone));
            let measuring = Measuring {
                run: &run,
                answering: answering.as_ref(),
                decision: &decision,
                calibrations: &calibrations,
                meter: &meter,
                workers,
            };
            let clean = measured_clean(&measuring, &request, &sets.clean)?;
            let triggered = request
                .triggered
                .iter()
                .zip(&sets.triggered)
                .map(|(set, images)| measuring.set(&format!("datasets/{}", set.dataset), images))
                .collect::<Result<Vec<_>, _>>()?;
            let seconds_per_scan = time_scans(&run, &decision, &sets.clean, &clean)?;
            let targets: Vec<_> = request.triggered.iter().map(|set| set.target).collect();
            let answering = answering.as_ref().map(|run| run.network.resource_name());
            let summary = Summary {
                decision: &decision,
                answering: answering.as_deref(),
                calibrations: &calibrations,
                clean: &clean,
                triggered: &triggered,
                targets: &targets,
            };
            let mut evaluation = summary.evaluation()?;
            evaluation.seconds_per_scan = seconds_per_scan;
            if request.illustrations {
                let pictures = std::iter::once((&clean, &sets.clean, false))
                    .chain(triggered.iter().zip(&sets.triggered).map(|(set, images)| (set, images, true)));
                evaluation.illustrations = illustrations(&decision, &calibrations, pictures)?;
            }
            evaluation.seconds = started.elapsed().as_secs_f64();
            Ok(evaluation)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| DetectorError::Internal("an evaluation"))?
    }

    async fn decision(&self, request: &EvaluationRequest) -> Result<Arc<Decision>, DetectorError> {
        let Some(named) = &request.calibration else { return self.deciders.of_policy(&request.model).await };
        let decision =
            self.deciders.of_calibration(&named.name, &named.detector, named.level, named.guarantee).await?;
        let asked = self.networks.record(&request.model).await?;
        if asked.digest != decision.network.record().digest {
            return Err(DetectorError::Mismatch {
                calibration: named.name.to_string(),
                fault: format!("was made for {}", decision.network.resource_name()),
                model: request.model.to_string(),
            });
        }
        Ok(Arc::new(decision))
    }

    async fn open(
        &self,
        name: &Identifier,
        request: &EvaluationRequest,
        decision: &Decision,
    ) -> Result<Images, DetectorError> {
        let network = &decision.network;
        let preprocessing = wire::overridden(network.preprocessing(), &request.overrides)?;
        Images::open(&self.datasets, name, preprocessing, network.classes()).await
    }
}

fn measured_clean(
    measuring: &Measuring<'_>,
    request: &EvaluationRequest,
    images: &Images,
) -> Result<MeasuredSet, DetectorError> {
    let clean = measuring.set(&format!("datasets/{}", request.clean), images)?;
    if clean.images.is_empty() {
        return Err(DetectorError::CleanData {
            dataset: request.clean.to_string(),
            fault: format!(
                "has {} images, all of which the calibration was made from: evaluate on other clean images",
                clean.left_out
            ),
        });
    }
    Ok(clean)
}

/// Mean seconds of one scan, one after the other.
fn time_scans(
    run: &Run,
    decision: &Decision,
    images: &Images,
    clean: &MeasuredSet,
) -> Result<f64, DetectorError> {
    let timed = &clean.images[..clean.images.len().min(TIMED)];
    let prepared = timed.iter().map(|image| images.prepared(image.row)).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    for image in &prepared {
        decision.judge(run, image, false)?;
    }
    Ok(started.elapsed().as_secs_f64() / prepared.len().max(1) as f64)
}
