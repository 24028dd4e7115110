//! Records of the store as messages of the contract.

use gifthorse_api::name::{Identifier, ModelName, Version};
use gifthorse_api::v1;
use gifthorse_dataset::wire;
use gifthorse_store::{Model, ModelRecord, ModelSource, Promotion, Provenance, RepairAnswer};
use jiff::Timestamp;

use crate::repository::VersionState;

/// `models/NAME/versions/VERSION`.
pub(super) fn version_name(model: &Identifier, version: Version) -> String {
    ModelName { model: model.clone(), version: Some(version) }.to_string()
}

/// A model.
pub(super) fn model(model: &Model) -> v1::Model {
    let promotion = model.promoted.as_ref();
    let name_of = |version: Option<Version>| {
        version.map(|version| version_name(&model.name, version)).unwrap_or_default()
    };
    v1::Model {
        name: ModelName { model: model.name.clone(), version: None }.to_string(),
        promoted_version: name_of(promotion.and_then(|promotion| promotion.version)),
        suspect_version: name_of(promotion.and_then(|promotion| promotion.suspect)),
        version_count: model.version_count as i32,
        create_time: Some(timestamp(model.create_time)),
        promote_time: promotion.map(|promotion| timestamp(promotion.time)),
        etag: model.etag.to_string(),
    }
}

/// A version, with what is promoted for its model and how it is here.
pub(super) fn version(
    record: &ModelRecord,
    promotion: Option<&Promotion>,
    state: &VersionState,
) -> v1::ModelVersion {
    let specification = &record.specification;
    let own = promotion.filter(|promotion| promotion.version == Some(record.version));
    let suspect = own.and_then(|promotion| promotion.suspect);
    v1::ModelVersion {
        name: version_name(&record.model, record.version),
        create_time: Some(timestamp(record.create_time)),
        promoted: own.is_some(),
        state: match state {
            VersionState::Ready(_) => v1::model_version::State::Ready,
            VersionState::Loading => v1::model_version::State::Loading,
            VersionState::Unloading => v1::model_version::State::Unloading,
            VersionState::Unavailable(_) | VersionState::Delayed(_) => v1::model_version::State::Unavailable,
        }
        .into(),
        state_reason: state.reason().to_owned(),
        preprocessing: Some(wire::to_message(&specification.preprocessing)),
        class_count: specification.classes.count() as i32,
        class_names: specification.classes.names().to_vec(),
        provenance: Some(provenance(&specification.provenance)),
        files: record
            .files
            .iter()
            .map(|(name, file)| v1::ArtefactFile {
                file_name: name.to_string(),
                size: file.size as i64,
                sha256: file.sha256.to_string(),
            })
            .collect(),
        layers: specification
            .layers
            .iter()
            .map(|layer| v1::Layer {
                name: layer.name.clone(),
                kind: layer.kind.clone(),
                output_shape: layer.output_shape.iter().map(|side| *side as i64).collect(),
                parameter_count: layer.parameter_count as i64,
                tensor: layer.tensor.clone(),
            })
            .collect(),
        parameter_count: specification.parameter_count as i64,
        input: specification.tensors.input.clone(),
        output: specification.tensors.output.clone(),
        suspect_classes: specification
            .suspect_classes
            .iter()
            .flatten()
            .map(|suspect| v1::SuspectClass {
                label: suspect.label as i32,
                weight_z: suspect.weight_z,
                bias_z: suspect.bias_z,
            })
            .collect(),
        supply_chain_scan: Some(v1::SupplyChainScan {
            result: v1::supply_chain_scan::Result::NotScanned.into(),
            findings: Vec::new(),
        }),
        linked_endpoint: specification.linked.as_ref().map(|link| v1::LinkedEndpoint {
            endpoint: link.endpoint.clone(),
            model_name: link.model_name.clone(),
            model_version: link.model_version.clone(),
            input: link.input.clone(),
            output: link.output.clone(),
            logits: link.logits,
        }),
        digest: record.digest.to_string(),
        repair_gate: specification.repair_gate.as_ref().map(repair_gate),
        suspect_version: suspect.map(|suspect| version_name(&record.model, suspect)).unwrap_or_default(),
    }
}

fn provenance(provenance: &Provenance) -> v1::Provenance {
    v1::Provenance {
        source: match provenance.source {
            ModelSource::KerasModel => v1::provenance::Source::KerasModel,
            ModelSource::KerasWeights => v1::provenance::Source::KerasWeights,
            ModelSource::Onnx => v1::provenance::Source::Onnx,
            ModelSource::Linked => v1::provenance::Source::Linked,
            ModelSource::PruningJob => v1::provenance::Source::PruningJob,
        }
        .into(),
        file_name: provenance.file_name.as_str().to_owned(),
        producer: provenance.producer.clone(),
        architecture: provenance.architecture.clone().unwrap_or_default(),
        softmax_appended: provenance.softmax_appended,
        parent_version: provenance
            .parent
            .as_ref()
            .map(|parent| version_name(&parent.model, parent.version))
            .unwrap_or_default(),
        pruning_job: provenance
            .pruning_job
            .as_ref()
            .map(|job| format!("pruningJobs/{job}"))
            .unwrap_or_default(),
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

fn repair_gate(gate: &gifthorse_store::RepairGate) -> v1::RepairGate {
    use v1::repair_gate::Result;
    let result = match gate.answer {
        RepairAnswer::Repaired => Result::Repaired,
        RepairAnswer::NoEvidenceLeft => Result::NoEvidenceLeft,
        RepairAnswer::NotRepaired => Result::NotRepaired,
        RepairAnswer::NothingToRepair => Result::NothingToRepair,
    };
    v1::RepairGate { result: result.into(), reason: gate.reason.clone() }
}
