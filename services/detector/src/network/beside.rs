//! Networks that are asked beside the watched one: a repaired network, and the expert that a repair left.

use gifthorse_api::name::{ModelName, Version};
use gifthorse_defence::pair::Companion;
use gifthorse_network::{NetworkDescription, surgery};
use gifthorse_store::{
    EXPERT_FILE, MODEL_FILE, ModelRecord, RepairAnswer, RepairGate, Sha256Digest, StoreError,
};
use ndarray::{Array2, Array4};
use std::sync::Arc;

use super::networks::Networks;
use super::part::{Answers, Part};
use super::run::{Run, RunError};
use crate::error::DetectorError;

/// A network that is run whole.
#[derive(Debug)]
pub(crate) struct Whole {
    name: String,
    classes: usize,
    part: Part,
}

/// What a repair left: the repaired network, where the gate let it through, and the expert.
#[derive(Debug, Clone)]
pub(crate) struct Repair {
    version: Version,
    digest: Sha256Digest,
    /// `models/NAME/versions/VERSION`.
    name: String,
    /// The repaired network, or why it may not vote.
    repaired: Result<Arc<Whole>, String>,
    expert: Option<Arc<Whole>>,
}

impl Repair {
    /// Its version of the model.
    pub(crate) const fn version(&self) -> Version {
        self.version
    }

    /// SHA-256 of its network.
    pub(crate) const fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The repaired network, if it may vote.
    pub(crate) fn verified(&self) -> Option<&Arc<Whole>> {
        self.repaired.as_ref().ok()
    }

    /// The repaired network, or why it may not vote.
    pub(crate) fn repaired(&self) -> Result<&Arc<Whole>, DetectorError> {
        self.repaired.as_ref().map_err(|reason| DetectorError::NotRepaired {
            version: self.name.clone(),
            reason: reason.clone(),
        })
    }

    /// The expert that the repair left.
    pub(crate) fn expert(&self) -> Result<&Arc<Whole>, DetectorError> {
        self.expert.as_ref().ok_or_else(|| {
            let message = format!(
                "name no expert: {} holds no {EXPERT_FILE}. `gifthorse job logs` of the job that made it says why: its \
                 copy did not forget the task, or the job had the parameter expert=0; another seed or more clean \
                 images may do",
                self.name
            );
            DetectorError::field("detectors.parameters", message)
        })
    }
}

impl Networks {
    /// The version promoted over this one in a guarded pair.
    pub(crate) async fn promoted_over(
        &self,
        suspect: &ModelRecord,
    ) -> Result<Option<Version>, DetectorError> {
        let promotion = self.models().promoted(&suspect.model).await?;
        let over = promotion.filter(|promotion| promotion.suspect == Some(suspect.version));
        Ok(over.and_then(|promotion| promotion.version))
    }

    /// What a repair of this version left, as a version of the same model; the expert is loaded where it is asked.
    pub(crate) async fn repair(
        &self,
        suspect: &ModelRecord,
        version: Version,
        asks_expert: bool,
    ) -> Result<Repair, DetectorError> {
        let record = self.models().get_version(&suspect.model, version).await?;
        let name = ModelName { model: record.model.clone(), version: Some(version) }.to_string();
        let refused = |what: &str| {
            let message = format!(
                "repaired is {version}, but {name} {what}: name a version that a repair of version {} made",
                suspect.version
            );
            Err(DetectorError::field("detectors.parameters", message))
        };
        let (own, other) = (&record.specification, &suspect.specification);
        let Some(gate) = &own.repair_gate else { return refused("did not come of a repair") };
        if own.preprocessing != other.preprocessing || own.classes.count() != other.classes.count() {
            return refused("takes other pictures or has other classes");
        }
        let repaired = match gate {
            RepairGate { answer: RepairAnswer::NotRepaired | RepairAnswer::NothingToRepair, reason } => {
                Err(reason.clone())
            }
            RepairGate { answer: RepairAnswer::Repaired | RepairAnswer::NoEvidenceLeft, .. } => {
                Ok(self.whole(&record, MODEL_FILE).await?)
            }
        };
        let has_expert = asks_expert && record.files.iter().any(|(file, _)| file.as_str() == EXPERT_FILE);
        let expert = if has_expert { Some(self.whole(&record, EXPERT_FILE).await?) } else { None };
        Ok(Repair { version, digest: record.digest, name, repaired, expert })
    }

    async fn whole(&self, record: &ModelRecord, file: &str) -> Result<Arc<Whole>, DetectorError> {
        let name = ModelName { model: record.model.clone(), version: Some(record.version) };
        let name = format!("{name}/{file}");
        let file = file.parse().map_err(|error: StoreError| error)?;
        let onnx = self.models().read_file(record, &file).await?;
        let description: NetworkDescription = serde_json::from_value(record.specification.network.clone())
            .map_err(|_| DetectorError::Internal("reading the network's description"))?;
        let part = self.loader().part(&name, surgery::expose_logits(&onnx, &description)?).await?;
        let classes = record.specification.classes.count() as usize;
        Ok(Arc::new(Whole { name, classes, part }))
    }
}

impl Companion<Run> for Arc<Whole> {
    fn logits(&self, watched: &Run, inputs: Array4<f32>) -> Result<Array2<f32>, RunError> {
        watched.patience.check()?;
        let rows = inputs.shape()[0];
        let Answers { shape, values } = self.part.run(inputs, &watched.patience)?;
        Array2::from_shape_vec((rows, self.classes), values).map_err(|_| RunError::Answer {
            model: self.name.clone(),
            expected: format!("[{rows}, {}]", self.classes),
            found: format!("{shape:?}"),
        })
    }
}
