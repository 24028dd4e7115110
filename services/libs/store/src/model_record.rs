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
mod tests {
    use std::collections::BTreeMap;

    use gifthorse_dataset::preprocessing::{
        AlphaRule, ChannelOrder, CropRule, ExifOrientation, Layout, PreprocessingRecord, ResizeFilter,
        ResizeRule, Scale,
    };
    use object_store::path::Path as ObjectPath;
    use proptest::collection::{btree_set, vec};
    use proptest::option;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::document;
    use crate::file_name::FileName;
    use crate::stored_file::StoredFile;

    fn finite() -> impl Strategy<Value = f64> {
        any::<f64>().prop_filter("finite", |value| value.is_finite())
    }

    fn preprocessing() -> impl Strategy<Value = Preprocessing> {
        let scale = (1e-6_f32..1e6).prop_map(|scale| Scale::new(scale).unwrap());
        (1..=8192_u32, 1..=8192_u32, scale, option::of(vec(-1e3_f32..1e3, 3)), any::<bool>()).prop_map(
            |(height, width, scale, mean, resize)| {
                let resize = resize.then_some(ResizeRule {
                    filter: ResizeFilter::Lanczos3,
                    antialias: false,
                    crop: CropRule::default(),
                    exif_orientation: ExifOrientation::default(),
                });
                Preprocessing::new(PreprocessingRecord {
                    height,
                    width,
                    channels: 3,
                    layout: Layout::Nhwc,
                    channel_order: ChannelOrder::Bgr,
                    scale,
                    mean,
                    std: None,
                    resize,
                    alpha: AlphaRule::default(),
                })
                .unwrap()
            },
        )
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            finite().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    prop_compose! {
        fn layer()(
            name in any::<String>(),
            kind in any::<String>(),
            output_shape in vec(any::<u64>(), 0..4),
            parameter_count in any::<u64>(),
            tensor in any::<String>(),
        ) -> LayerRecord {
            LayerRecord { name, kind, output_shape, parameter_count, tensor }
        }
    }

    prop_compose! {
        fn provenance(source: ModelSource)(
            file_name in any::<String>(),
            producer in any::<String>(),
            architecture in option::of(any::<String>()),
            softmax_appended in any::<bool>(),
            parent in option::of(("[a-z0-9][a-z0-9_-]{0,62}", 1..u64::MAX)),
            pruning_job in option::of("[a-z0-9][a-z0-9_-]{0,62}"),
        ) -> Provenance {
            Provenance {
                source,
                file_name: file_name.into(),
                producer,
                architecture,
                softmax_appended,
                parent: parent.map(|(model, version)| ParentVersion {
                    model: model.parse().unwrap(),
                    version: Version::new(version).unwrap(),
                }),
                pruning_job: pruning_job.map(|job| job.parse().unwrap()),
            }
        }
    }

    fn repair_gate() -> impl Strategy<Value = RepairGate> {
        use RepairAnswer::{NoEvidenceLeft, NotRepaired, Repaired};
        let answers = prop_oneof![Just(Repaired), Just(NoEvidenceLeft), Just(NotRepaired)];
        (answers, any::<String>()).prop_map(|(answer, reason)| RepairGate { answer, reason })
    }

    prop_compose! {
        fn link()(
            endpoint in ".{1,20}",
            model_name in ".{1,20}",
            model_version in ".{0,5}",
            tensor in ".{1,20}",
            logits in any::<bool>(),
        ) -> LinkRecord {
            LinkRecord { endpoint, model_name, model_version, input: tensor.clone(), output: tensor, logits }
        }
    }

    prop_compose! {
        fn specification(linked: bool)(
            preprocessing in preprocessing(),
            names in btree_set("\\P{Cc}{1,20}", 1..5).prop_map(Vec::from_iter),
            named in any::<bool>(),
            tensor in ".{1,20}",
            layers in vec(layer(), 0..3),
            parameter_count in any::<u64>(),
            provenance in provenance(if linked { ModelSource::Linked } else { ModelSource::PruningJob }),
            link in link(),
            scores in option::of(vec((finite(), finite()), 0..3)),
            gate in option::of(repair_gate()),
            network in json(),
        ) -> ModelSpecification {
            let count = names.len() as u32;
            let suspects = |scores: Vec<(f64, f64)>| scores
                .into_iter()
                .map(|(weight_z, bias_z)| SuspectClass { label: count - 1, weight_z, bias_z })
                .collect();
            ModelSpecification {
                preprocessing,
                classes: Classes::new(count, if named { names } else { Vec::new() }).unwrap(),
                tensors: TensorNames {
                    input: tensor.clone(),
                    output: tensor.clone(),
                    logits: if linked { String::new() } else { tensor },
                },
                layers,
                parameter_count,
                provenance,
                suspect_classes: scores.map(suspects),
                repair_gate: gate,
                network,
                linked: linked.then_some(link),
            }
        }
    }

    prop_compose! {
        fn record_of(linked: bool)(
            specification in specification(linked),
            version in 1..u64::MAX,
            seconds in 0..4_000_000_000_i64,
            nanoseconds in 0..1_000_000_000_i32,
            id in option::of("[!-~]{1,128}"),
            other in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}",
            size in any::<u64>(),
        ) -> ModelRecord {
            let file = StoredFile { size, sha256: Sha256Digest::of(&size.to_le_bytes()) };
            let identity = specification.identity_file();
            let names: [FileName; 2] = [other.parse().unwrap(), identity.parse().unwrap()];
            ModelRecord {
                model: "lab3".parse().unwrap(),
                version: Version::new(version).unwrap(),
                create_time: Timestamp::new(seconds, nanoseconds).unwrap(),
                request_id: id.map(|id| id.parse().unwrap()),
                digest: file.sha256,
                files: BTreeMap::from(names.map(|name| (name, file))),
                specification,
            }
        }
    }

    fn record() -> impl Strategy<Value = ModelRecord> {
        any::<bool>().prop_flat_map(record_of)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 200,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(20_26),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_record_reads_back_as_it_was_written(record in record()) {
            let path = ObjectPath::from(crate::model_folder::MARK);
            let bytes = document::seal(&record).unwrap();
            let read: ModelRecord = document::unseal(&path, &bytes).unwrap();
            prop_assert_eq!(&read, &record);
            prop_assert_eq!(document::seal(&read).unwrap(), bytes);
        }

        #[test]
        fn a_flipped_byte_is_noticed(record in record(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let path = ObjectPath::from(crate::model_folder::MARK);
            let mut bytes = document::seal(&record).unwrap().to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(document::unseal::<ModelRecord>(&path, &bytes).is_err());
        }

        #[test]
        fn a_network_is_either_here_or_elsewhere(record in record(), more in record()) {
            prop_assert_eq!(record.check(), Ok(()));
            let mut both = record.clone();
            for file in [MODEL_FILE, LINK_FILE] {
                both.files.insert(file.parse().unwrap(), record.files.values().next().copied().unwrap());
            }
            prop_assert!(both.check().is_err(), "both files");
            let mut neither = record.clone();
            neither.files.clear();
            prop_assert!(neither.check().is_err(), "no file");
            let mut contrary = record.clone();
            contrary.specification.linked = match &record.specification.linked {
                Some(_) => None,
                None => more.specification.linked.clone().or_else(|| Some(LinkRecord {
                    endpoint: "a:1".to_owned(),
                    model_name: "m".to_owned(),
                    model_version: String::new(),
                    input: "i".to_owned(),
                    output: "o".to_owned(),
                    logits: false,
                })),
            };
            prop_assert!(contrary.check().is_err(), "link and provenance");
        }
    }
}
