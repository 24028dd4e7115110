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
    use RepairAnswer::{NoEvidenceLeft, NotRepaired, NothingToRepair, Repaired};
    let answers = prop_oneof![Just(Repaired), Just(NoEvidenceLeft), Just(NotRepaired), Just(NothingToRepair)];
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
