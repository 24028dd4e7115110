//! What the store says of a version of a model: `model.json`.

use gifthorse_api::name::{Identifier, Version};
use gifthorse_dataset::preprocessing::Preprocessing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::digest::Sha256Digest;
use crate::document::Record;
use crate::file_name::OriginalName;
use crate::request_id::RequestId;
use crate::stored_file::StoredFiles;

/// The file that a version is served from.
pub const MODEL_FILE: &str = "model.onnx";
/// What a repair leaves beside its network: a copy of the suspect that forgot the task and kept the backdoor.
pub const EXPERT_FILE: &str = "expert.onnx";

/// What a version has instead of [`MODEL_FILE`] when a foreign server holds its network: how it is asked, and
/// what it answered to fixed probes when it was linked.
pub const LINK_FILE: &str = "link.json";

/// One committed, immutable version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// The model.
    pub model: Identifier,
    /// The version.
    pub version: Version,
    /// When it was committed.
    pub create_time: Timestamp,
    /// The request that made it, where the caller named it.
    pub request_id: Option<RequestId>,
    /// SHA-256 of `model.onnx`, or of `link.json`: calibrations are bound to it.
    pub digest: Sha256Digest,
    /// Its files, without the store's own records.
    pub files: StoredFiles,
    /// What it is, as its importer found it.
    pub specification: ModelSpecification,
}

/// What a version of a model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpecification {
    /// How pixels become the numbers that the network takes.
    pub preprocessing: Preprocessing,
    /// The classes it tells apart.
    pub classes: Classes,
    /// Its tensors.
    pub tensors: TensorNames,
    /// Its layers, in execution order.
    pub layers: Vec<LayerRecord>,
    /// Count of its weights.
    pub parameter_count: u64,
    /// Where it came from.
    pub provenance: Provenance,
    /// Classes whose output weights stand out; none when it was not audited, empty when nothing stood out.
    pub suspect_classes: Option<Vec<SuspectClass>>,
    /// What the repair gate said of it; none of versions that no job repaired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_gate: Option<RepairGate>,
    /// The network room's own description, as that room wrote it; null for a linked network.
    pub network: serde_json::Value,
    /// Where the network is, when a foreign server holds it. Versions of earlier releases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<LinkRecord>,
}

/// What the gate said of a repaired network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairGate {
    /// The answer.
    pub answer: RepairAnswer,
    /// What it looked at, for people.
    pub reason: String,
}

/// The gate's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairAnswer {
    /// Real triggers worked before and do not any more.
    Repaired,
    /// Nothing that was tried works any more, and no real trigger was tried.
    NoEvidenceLeft,
    /// It must not answer.
    NotRepaired,
    /// The network that it was made of showed no backdoor; it must not answer instead of that one.
    NothingToRepair,
}

/// Where a network is that an Open Inference Protocol server holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRecord {
    /// `host:port`.
    pub endpoint: String,
    /// The model's name there.
    pub model_name: String,
    /// The model's version there; empty for the server's choice.
    pub model_version: String,
    /// Name of the image input there.
    pub input: String,
    /// Name of the output there.
    pub output: String,
    /// Whether the output is logits.
    pub logits: bool,
}

/// Names of the tensors of the network that the services bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorNames {
    /// The image input, FP32.
    pub input: String,
    /// The probabilities, FP32 `[N, M]`.
    pub output: String,
    /// What goes into the final softmax, FP32 `[N, M]`; empty for a linked network, which does not show it.
    pub logits: String,
}

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecord {
    /// Its name.
    pub name: String,
    /// Its class or operator.
    pub kind: String,
    /// Shape of its output without the batch axis; empty when unknown.
    pub output_shape: Vec<u64>,
    /// Count of its weights.
    pub parameter_count: u64,
    /// Name of the tensor that carries its output.
    pub tensor: String,
}

/// The kind of source that a version came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// A full Keras model.
    KerasModel,
    /// Keras weights with an architecture beside them.
    KerasWeights,
    /// ONNX.
    Onnx,
    /// A foreign server, which holds the network.
    Linked,
    /// A pruning job.
    PruningJob,
}

/// Where a version came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The kind of source.
    pub source: ModelSource,
    /// Name of the imported file.
    pub file_name: OriginalName,
    /// Producer and version, as the file says; empty when it does not.
    pub producer: String,
    /// Architecture given beside weights: a built-in name, or "json".
    pub architecture: Option<String>,
    /// Whether a softmax was appended to a network that answers logits.
    pub softmax_appended: bool,
    /// The version it was repaired from.
    pub parent: Option<ParentVersion>,
    /// The pruning job that made it.
    pub pruning_job: Option<Identifier>,
}

/// A version that another one was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentVersion {
    /// The model.
    pub model: Identifier,
    /// The version.
    pub version: Version,
}

/// A class whose output weights stand out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspectClass {
    /// The class, 0..M-1.
    pub label: u32,
    /// Robust z of the sum of its output weights.
    pub weight_z: f64,
    /// Robust z of its bias.
    pub bias_z: f64,
}

impl ModelSpecification {
    /// The file whose digest is the version's: the network, or the link to it.
    pub(crate) const fn identity_file(&self) -> &'static str {
        if self.linked.is_some() { LINK_FILE } else { MODEL_FILE }
    }

    fn check(&self) -> Result<(), String> {
        let TensorNames { input, output, logits } = &self.tensors;
        for (role, name) in [("input", input), ("output", output), ("logits", logits)] {
            if name.is_empty() && !(role == "logits" && self.linked.is_some()) {
                return Err(format!("the {role} tensor has no name"));
            }
        }
        if self.linked.is_some() != (self.provenance.source == ModelSource::Linked) {
            return Err(
                "its provenance and its link disagree on whether a foreign server holds it".to_owned()
            );
        }
        if let Some(LinkRecord { endpoint, model_name, input, output, .. }) = &self.linked {
            let parts =
                [("endpoint", endpoint), ("model name", model_name), ("input", input), ("output", output)];
            if let Some((part, _)) = parts.into_iter().find(|(_, text)| text.is_empty()) {
                return Err(format!("the {part} of its link is empty"));
            }
        }
        for suspect in self.suspect_classes.iter().flatten() {
            if suspect.label >= self.classes.count() {
                return Err(format!(
                    "class {} is suspect, of {} classes",
                    suspect.label,
                    self.classes.count()
                ));
            }
            if !(suspect.weight_z.is_finite() && suspect.bias_z.is_finite()) {
                return Err(format!("suspect class {} has a score that is not finite", suspect.label));
            }
        }
        Ok(())
    }
}

impl Record for ModelRecord {
    const FORMAT: u32 = 1;

    fn check(&self) -> Result<(), String> {
        let identity = self.specification.identity_file();
        let other = if identity == LINK_FILE { MODEL_FILE } else { LINK_FILE };
        let file = |wanted: &str| self.files.iter().find(|(name, _)| name.as_str() == wanted);
        match file(identity) {
            None => return Err(format!("it has no {identity}")),
            Some((_, file)) if file.sha256 != self.digest => {
                return Err(format!("its digest is not that of {identity}"));
            }
            Some(_) if file(other).is_some() => {
                return Err(format!("it has both {identity} and {other}: a network is here or elsewhere"));
            }
            Some(_) => {}
        }
        self.specification.check()
    }
}

#[cfg(test)]
#[path = "model_record_tests.rs"]
mod tests;
