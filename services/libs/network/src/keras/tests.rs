use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::description::{Layout, OutputKind, SourceKind};
use crate::onnx::messages::{ModelProto, NodeProto, TensorProto};

#[path = "fixture.rs"]
mod fixture;

use fixture::{counted, description, real_networks, small, weights, written};

fn import_plain(path: &Path) -> Result<Imported, NetworkError> {
    import(path, &KerasOptions::default())
}

fn import_described(description: &Value) -> Result<Imported, NetworkError> {
    import_plain(&written(Some(&description.to_string()), &weights()).path())
}

fn graph(imported: &Imported) -> crate::onnx::messages::GraphProto {
    ModelProto::decode(imported.onnx.as_slice()).unwrap().graph.unwrap()
}

fn numbers(tensor: &TensorProto) -> Vec<f32> {
    tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn a_small_model_becomes_the_graph_that_is_promised() {
    let imported = import_plain(&small().path()).unwrap();
    let nodes: Vec<(String, String)> = graph(&imported)
        .node
        .into_iter()
        .map(|node| (node.op_type, node.output.first().cloned().unwrap_or_default()))
        .collect();
    let expected = [
        ("Transpose", "input/channels_first"),
        ("Conv", "conv/linear"),
        ("Relu", "conv"),
        ("MaxPool", "pool"),
        ("Transpose", "pool/channels_last"),
        ("Flatten", "flatten"),
        ("Gemm", "fc/logits"),
        ("Softmax", "fc"),
    ];
    let expected: Vec<_> = expected.map(|(kind, output)| (kind.to_owned(), output.to_owned())).into();
    assert_eq!(nodes, expected);
    let description = &imported.description;
    assert_eq!((description.source, description.layout), (SourceKind::KerasModel, Layout::Nhwc));
    assert_eq!((description.height, description.width, description.channels), (6, 5, 3));
    assert_eq!((description.classes, description.parameters), (3, 4 * 28 + 3 * 9));
    assert_eq!((description.output.as_str(), description.logits.as_str()), ("fc", "fc/logits"));
    assert_eq!(
        (description.output_kind, description.producer.as_str()),
        (OutputKind::Probabilities, "Keras 2.4.0")
    );
    let conv = &description.layers[1];
    assert_eq!(
        (conv.kind.as_str(), conv.output_shape.as_slice(), conv.parameters),
        ("Conv2D", &[4, 3, 4][..], 112)
    );
}

#[test]
fn weights_are_stored_under_their_names_in_the_documented_order() {
    let imported = import_plain(&small().path()).unwrap();
    let initializers = graph(&imported).initializer;
    let of = |name: &str| initializers.iter().find(|tensor| tensor.name == name).unwrap();
    assert_eq!(of("conv/kernel:0").dims, [4, 3, 3, 3]);
    let kernel = counted(&[3, 3, 3, 4]);
    let turned = kernel.view().permuted_axes(vec![3, 2, 0, 1]);
    assert_eq!(numbers(of("conv/kernel:0")), turned.iter().copied().collect::<Vec<_>>());
    assert_eq!(of("fc/kernel:0").dims, [8, 3]);
    assert_eq!(numbers(of("fc/kernel:0")), counted(&[8, 3]).into_raw_vec_and_offset().0);
}

#[test]
fn weights_alone_need_an_architecture_of_the_same_layers() {
    let fixture = written(None, &weights());
    let error = import_plain(&fixture.path()).unwrap_err().to_string();
    assert!(error.contains("--architecture"), "{error}");
    let with = |architecture| KerasOptions { architecture: Some(architecture) };
    let same = with(Architecture::Json(description().to_string()));
    let imported = import(&fixture.path(), &same).unwrap();
    assert_eq!(imported.description.source, SourceKind::KerasWeights);
    let error = import(&fixture.path(), &with(Template::DeepId.into())).unwrap_err().to_string();
    assert!(error.contains("needs weights for \"conv_1\""), "{error}");
    assert!(error.contains("has weights for \"conv\", \"fc\""), "{error}");
    assert!("vgg".parse::<Architecture>().unwrap_err().to_string().contains("deepid"));
}

#[test]
fn a_weight_of_another_shape_or_not_a_number_is_named() {
    let mut other = weights();
    other[2].1[0].1 = vec![7, 3];
    let error = import_plain(&written(Some(&description().to_string()), &other).path()).unwrap_err();
    assert!(error.to_string().contains("kernel of layer \"fc\" must have the shape [8, 3]"), "{error}");

    let fixture = small();
    let file = fixture.edit();
    let mut values = counted(&[8, 3]);
    values[[2, 1]] = f32::NEG_INFINITY;
    file.dataset("model_weights/fc/fc/kernel:0").unwrap().write(&values).unwrap();
    file.close().unwrap();
    let error = import_plain(&fixture.path()).unwrap_err();
    assert!(matches!(error, NetworkError::NotFinite { index: 7, .. }), "{error}");
    assert!(error.to_string().contains("fc/kernel:0"), "{error}");
}

/// The small model with one place of its description changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut description = description();
    *description.pointer_mut(pointer).unwrap() = value;
    description
}

#[test]
fn networks_that_are_no_image_classifiers_are_told_why() {
    for (pointer, value, named) in [
        ("/config/layers/4/config/activation", json!("sigmoid"), "sigmoid"),
        ("/config/output_layers", json!([["pool", 0, 0]]), "its output (None, 2, 1, 4)"),
        ("/config/output_layers", json!([["fc", 0, 0], ["conv", 0, 0]]), "several outputs"),
        ("/config/layers/0/config/batch_input_shape", json!([null, 90]), "shape (None, 90)"),
    ] {
        let error = import_described(&changed(pointer, value)).unwrap_err();
        let expected = matches!(error, NetworkError::NotAClassifier { .. });
        assert!(expected && error.to_string().contains(named), "{error}");
    }
    let open = changed("/config/layers/0/config/batch_input_shape", json!([null, null, 5, 3]));
    let error = import_described(&open).unwrap_err();
    assert!(error.to_string().contains("(None, None, 5, 3)"), "{error}");
}

#[test]
fn sizes_beyond_all_reason_are_refused_before_anything_is_reserved() {
    let shape = json!([null, 16_000_000, 16_000_000, 16_000_000]);
    let error = import_described(&changed("/config/layers/0/config/batch_input_shape", shape)).unwrap_err();
    assert!(matches!(error, NetworkError::TooLarge { .. }), "{error}");
    let padded = changed(
        "/config/layers/2",
        json!({"class_name": "ZeroPadding2D", "name": "pool", "inbound_nodes": [[["conv", 0, 0, {}]]],
            "config": {"name": "pool", "padding": 16_000_000}}),
    );
    let error = import_described(&padded).unwrap_err();
    assert!(error.to_string().contains("leave layer \"pool\""), "{error}");
}

#[test]
fn logits_get_a_softmax() {
    let linear = changed("/config/layers/4/config/activation", json!("linear"));
    let imported = import_described(&linear).unwrap();
    let description = imported.description;
    assert_eq!(description.output_kind, OutputKind::SoftmaxAppended);
    assert_eq!((description.logits.as_str(), description.output.as_str()), ("fc", "probabilities"));
}

#[test]
fn a_loop_is_found() {
    let looped = changed("/config/layers/1/inbound_nodes", json!([[["pool", 0, 0, {}]]]));
    let error = import_described(&looped).unwrap_err();
    assert!(error.to_string().contains("never comes"), "{error}");
}

#[test]
fn what_is_exported_comes_back_the_same() {
    for fixture in [small(), written(None, &weights())] {
        let architecture = Architecture::Json(description().to_string());
        let options = KerasOptions { architecture: Some(architecture.clone()) };
        let imported = import(&fixture.path(), &options).unwrap();
        let mut model = ModelProto::decode(imported.onnx.as_slice()).unwrap();
        for tensor in &mut model.graph.as_mut().unwrap().initializer {
            if tensor.name.ends_with(":0") {
                let trained = numbers(tensor).into_iter().flat_map(|value| (value * 2.0 + 1.0).to_le_bytes());
                tensor.raw_data = trained.collect::<Vec<u8>>().into();
            }
        }
        let trained = model.encode_to_vec();
        let back = fixture.beside("back.h5");
        export_h5(&trained, &imported.description, &fixture.path(), Some(&architecture), &back).unwrap();
        let again = import_plain(&back).unwrap();
        assert_eq!(again.description.source, SourceKind::KerasModel);
        assert!(again.onnx == trained, "the weights changed on the way");
    }
}

#[test]
fn a_network_that_is_no_longer_the_source_is_not_exported() {
    let fixture = small();
    let imported = import_plain(&fixture.path()).unwrap();
    let back = fixture.beside("back.h5");
    let export = |change: &dyn Fn(&mut ModelProto)| {
        let mut model = ModelProto::decode(imported.onnx.as_slice()).unwrap();
        change(&mut model);
        export_h5(&model.encode_to_vec(), &imported.description, &fixture.path(), None, &back).unwrap_err()
    };
    let masked = export(&|model| model.graph.as_mut().unwrap().node[3].op_type = "AveragePool".to_owned());
    assert!(masked.to_string().contains("\"pool\" (AveragePool)"), "{masked}");
    let longer = export(&|model| model.graph.as_mut().unwrap().node.push(NodeProto::default()));
    assert!(longer.to_string().contains("9 nodes"), "{longer}");
    let infinite = export(&|model| {
        let tensor = &mut model.graph.as_mut().unwrap().initializer[1];
        tensor.raw_data = f32::NAN.to_le_bytes().repeat(4).into();
    });
    assert!(matches!(infinite, NetworkError::NotFinite { index: 0, .. }), "{infinite}");
    let mut foreign = imported.description.clone();
    foreign.source = SourceKind::Onnx;
    let error = export_h5(&imported.onnx, &foreign, &fixture.path(), None, &back).unwrap_err();
    assert!(matches!(error, NetworkError::NotExportable { .. }), "{error}");
}

#[test]
fn the_real_networks_are_read_and_written() {
    let Some(folder) = real_networks() else { return };
    let options = KerasOptions { architecture: Some(Template::DeepId.into()) };
    let mut read = 0;
    for kind in ["weights", "repaired"] {
        for entry in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.display();
            if path.to_string_lossy().contains("autoencoder") {
                let error = import(&path, &options).unwrap_err();
                assert!(matches!(error, NetworkError::NotAClassifier { .. }), "{shown}: {error}");
                continue;
            }
            let imported = import(&path, &options).unwrap_or_else(|error| panic!("{shown}: {error}"));
            let description = &imported.description;
            assert_eq!((description.parameters, description.classes), (601_643, 1283), "{shown}");
            assert_eq!((description.height, description.width, description.channels), (55, 47, 3), "{shown}");
            assert_eq!(description.logits, "output/logits", "{shown}");
            let back = tempfile::tempdir().unwrap();
            let back = back.path().join("back.h5");
            let architecture = options.architecture.as_ref();
            export_h5(&imported.onnx, description, &path, architecture, &back).unwrap();
            let (again, first) = (graph(&import_plain(&back).unwrap()), graph(&imported));
            assert!(again.node == first.node && again.initializer == first.initializer, "{shown}");
            read += 1;
        }
    }
    assert_eq!(read, 11);
}

/// Values that fit nowhere, or nearly everywhere.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, 6, 5, 3])),
        Just(json!([["conv", 0, 0, {}]])),
        Just(json!("Flatten")),
        Just(json!("softmax")),
        any::<i64>().prop_map(Value::from),
        (-3_i64..5).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z>_/]{0,8}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

/// Replaces the `place`-th value of a tree, counted depth first.
fn replace(value: &mut Value, place: &mut usize, with: &Value) -> bool {
    if *place == 0 {
        *value = with.clone();
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, place, with)),
        Value::Object(object) => object.values_mut().any(|item| replace(item, place, with)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_description_with_odd_values_is_read_or_refused(
        changes in proptest::collection::vec((0_usize..120, odd_value()), 1..4),
    ) {
        let mut description = description();
        for (mut place, value) in changes {
            replace(&mut description, &mut place, &value);
        }
        // Either answer is right; a panic, or a network without classes, is not.
        if let Ok(imported) = import_described(&description) {
            prop_assert!(imported.description.classes >= 2);
        }
    }

    #[test]
    fn a_description_with_odd_bytes_is_read_or_refused(
        position in any::<prop::sample::Index>(), byte in 1_u8..128,
    ) {
        let mut text = description().to_string().into_bytes();
        let position = position.index(text.len());
        text[position] = byte;
        let fixture = written(Some(std::str::from_utf8(&text).unwrap()), &weights());
        if let Ok(imported) = import_plain(&fixture.path()) {
            prop_assert!(imported.description.classes >= 2);
        }
    }

    #[test]
    fn a_truncated_file_is_refused(keep in any::<prop::sample::Index>()) {
        let fixture = small();
        let whole = std::fs::read(fixture.path()).unwrap();
        let cut = fixture.beside("cut.h5");
        std::fs::write(&cut, &whole[..keep.index(whole.len())]).unwrap();
        let error = import_plain(&cut).unwrap_err();
        prop_assert!(matches!(error, NetworkError::Damaged { .. }), "{}", error);
    }
}
