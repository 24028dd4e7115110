//! Versions, operators, graph structure and outside files.

use gifthorse_network::onnx::attribute;
use gifthorse_network::onnx::messages::attribute_proto::AttributeType;
use gifthorse_network::onnx::messages::{
    AttributeProto, FunctionProto, GraphProto, OperatorSetIdProto, SparseTensorProto, StringStringEntryProto,
    TrainingInfoProto,
};

use crate::samples::{assert_fault, classifier, graph_of, import};

#[test]
fn versions_out_of_range_are_named() {
    for version in [0, 2, 14, i64::MAX, i64::MIN] {
        let mut model = classifier();
        model.ir_version = version;
        assert_fault(&import(&model), "Unsupported", &["IR", &version.to_string(), "13"]);
    }
    for version in [-1, 0, 6, 27] {
        let mut model = classifier();
        model.opset_import[0].version = version;
        assert_fault(&import(&model), "Unsupported", &[&format!("opset {version}"), "26"]);
    }
    let mut model = classifier();
    model.opset_import.clear();
    assert_fault(&import(&model), "Damaged", &["opset_import"]);
    let mut model = classifier();
    model.opset_import.push(OperatorSetIdProto { domain: "ai.onnx".to_owned(), version: 9 });
    assert_fault(&import(&model), "Damaged", &["opset_import"]);
}

#[test]
fn foreign_operators_are_refused_by_name_and_unused_sets_are_dropped() {
    let mut model = classifier();
    graph_of(&mut model).node[2].domain = "com.example".to_owned();
    assert_fault(&import(&model), "Refused", &["Relu", "com.example"]);

    let mut model = classifier();
    model.opset_import.push(OperatorSetIdProto { domain: "com.example".to_owned(), version: 99 });
    let imported = import(&model).unwrap();
    let written =
        gifthorse_network::onnx::decode(&imported.onnx, &gifthorse_network::onnx::Limits::default());
    assert_eq!(written.unwrap().opset_import.len(), 1);
    assert_eq!(imported.description.opset, 17);
}

#[test]
fn outside_files_are_refused_wherever_they_are() {
    for (location, note) in [
        ("weights.bin", "one file"),
        ("../../secret", "leaves the model's folder"),
        ("/etc/passwd", "absolute"),
        ("C:\\weights", "absolute"),
    ] {
        let mut model = classifier();
        let tensor = &mut graph_of(&mut model).initializer[0];
        tensor.data_location = 1;
        let entry = StringStringEntryProto { key: "location".to_owned(), value: location.to_owned() };
        tensor.external_data.push(entry);
        let shown = format!("{location:?}");
        assert_fault(&import(&model), "Refused", &[&shown, "conv.weight", note]);

        let outside = graph_of(&mut model).initializer[0].clone();
        let mut model = classifier();
        graph_of(&mut model).node[0].attribute.push(attribute::tensor("hidden", outside));
        assert_fault(&import(&model), "Refused", &[&shown]);
    }
}

#[test]
fn what_inference_has_no_need_of_is_refused() {
    let mut model = classifier();
    model.training_info.push(TrainingInfoProto::default());
    assert_fault(&import(&model), "Unsupported", &["training"]);

    let mut model = classifier();
    model.functions.push(FunctionProto { name: "Mine".to_owned(), ..FunctionProto::default() });
    assert_fault(&import(&model), "Unsupported", &["Mine", "inline"]);

    let mut model = classifier();
    graph_of(&mut model).sparse_initializer.push(SparseTensorProto::default());
    assert_fault(&import(&model), "Unsupported", &["sparse"]);

    let mut model = classifier();
    graph_of(&mut model).node[2].op_type = "If".to_owned();
    let body = AttributeProto {
        name: "then_branch".to_owned(),
        r#type: AttributeType::Graph.into(),
        g: Some(GraphProto::default()),
        ..AttributeProto::default()
    };
    graph_of(&mut model).node[2].attribute.push(body);
    assert_fault(&import(&model), "Unsupported", &["If", "control flow"]);
}

#[test]
fn training_mode_is_refused() {
    let mut model = classifier();
    graph_of(&mut model).node[1].attribute.push(attribute::int("training_mode", 1));
    assert_fault(&import(&model), "Unsupported", &["training mode", "norm"]);
}

#[test]
fn every_tensor_is_made_once_and_before_it_is_read() {
    let mut model = classifier();
    graph_of(&mut model).node.swap(0, 2);
    assert_fault(&import(&model), "Damaged", &["norm", "nothing before it makes"]);

    let mut model = classifier();
    graph_of(&mut model).node[2].output[0] = "norm".to_owned();
    assert_fault(&import(&model), "Damaged", &["norm", "made twice"]);

    let mut model = classifier();
    graph_of(&mut model).node[2].output[0] = "image".to_owned();
    assert_fault(&import(&model), "Damaged", &["image", "made twice"]);

    let mut model = classifier();
    graph_of(&mut model).output[0].name = "elsewhere".to_owned();
    assert_fault(&import(&model), "Damaged", &["elsewhere"]);

    let mut model = classifier();
    let again = graph_of(&mut model).initializer[0].clone();
    graph_of(&mut model).initializer.push(again);
    assert_fault(&import(&model), "Damaged", &["two initializers", "conv.weight"]);

    let mut model = classifier();
    model.graph = None;
    assert_fault(&import(&model), "Damaged", &["no graph"]);

    let mut model = classifier();
    graph_of(&mut model).node.clear();
    assert_fault(&import(&model), "Damaged", &["no nodes"]);
}

#[test]
fn attributes_have_one_known_type() {
    let mut model = classifier();
    let again = graph_of(&mut model).node[0].attribute[0].clone();
    graph_of(&mut model).node[0].attribute.push(again);
    assert_fault(&import(&model), "Damaged", &["pads", "twice"]);

    let mut model = classifier();
    graph_of(&mut model).node[0].attribute[0].r#type = 77;
    assert_fault(&import(&model), "Damaged", &["pads", "77"]);
}
