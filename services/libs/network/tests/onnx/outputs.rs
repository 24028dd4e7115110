//! The output: probabilities, logits, or something else; and what is said about the layers.

use gifthorse_network::description::OutputKind;
use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{TypeProto, type_proto};
use gifthorse_network::onnx::{GraphBuilder, OnnxOptions, attribute, import as import_with};

use crate::samples::{
    assert_fault, classifier, dense, ending_in, features, graph_of, identity, import, imported_graph, shape,
    weights,
};

#[test]
fn a_network_with_a_softmax_stays_as_it_is() {
    let model = classifier();
    let imported = import(&model).unwrap();
    let description = &imported.description;
    assert_eq!(description.output_kind, OutputKind::Probabilities);
    assert_eq!((description.output.as_str(), description.logits.as_str()), ("end", "fc"));
    assert_eq!((description.classes, description.opset), (5, 17));
    assert!(description.dynamic_batch);
    assert_eq!(imported_graph(&imported).node, model.graph.unwrap().node);
    assert!(description.producer.starts_with("gifthorse "));
}

#[test]
fn a_network_that_answers_logits_is_given_a_softmax() {
    let imported = import(&ending_in("", Vec::new())).unwrap();
    let description = &imported.description;
    assert_eq!(description.output_kind, OutputKind::SoftmaxAppended);
    assert_eq!((description.output.as_str(), description.logits.as_str()), ("probabilities", "fc"));
    let graph = imported_graph(&imported);
    let last = graph.node.last().unwrap();
    assert_eq!((last.op_type.as_str(), last.input[0].as_str()), ("Softmax", "fc"));
    assert_eq!(graph.output[0].name, "probabilities");
    // Imported once more, the softmax is the network's own.
    let again = import_with(&imported.onnx, &OnnxOptions::default()).unwrap();
    assert_eq!(again.description.output_kind, OutputKind::Probabilities);
    assert_eq!(again.onnx, imported.onnx);
}

#[test]
fn a_log_softmax_is_followed_by_an_exponential() {
    let imported = import(&ending_in("LogSoftmax", vec![attribute::int("axis", 1)])).unwrap();
    assert_eq!(imported.description.output_kind, OutputKind::Probabilities);
    assert_eq!(imported.description.logits, "fc");
    let graph = imported_graph(&imported);
    let last = graph.node.last().unwrap();
    assert_eq!((last.op_type.as_str(), last.input[0].as_str()), ("Exp", "end"));
    assert_eq!(imported.description.output, last.output[0]);
}

#[test]
fn a_softmax_is_found_behind_an_identity() {
    let mut graph = GraphBuilder::new("g");
    let features = features(&mut graph, 0);
    let logits = dense(&mut graph, &features);
    let soft = graph.node("Softmax", "soft", &[&logits], Vec::new());
    let same = graph.node("Identity", "same", &[&soft], Vec::new());
    graph.output_f32(&same, &shape(&[0, 5]));
    let description = import(&graph.finish()).unwrap().description;
    assert_eq!(description.output_kind, OutputKind::Probabilities);
    assert_eq!((description.output.as_str(), description.logits.as_str()), ("same", "fc"));
}

#[test]
fn a_softmax_over_pictures_of_one_pixel_has_its_logits_flattened() {
    let mut graph = GraphBuilder::new("squeezenet");
    let image = graph.input_f32("image", &shape(&[0, 3, 8, 6]));
    let kernel = graph.initializer_f32("kernel", weights(&[5, 3, 1, 1]).view());
    let maps = graph.node("Conv", "maps", &[&image, &kernel], Vec::new());
    let pooled = graph.node("GlobalAveragePool", "pooled", &[&maps], Vec::new());
    let soft = graph.node("Softmax", "soft", &[&pooled], vec![attribute::int("axis", 1)]);
    let flat = graph.node("Flatten", "flat", &[&soft], Vec::new());
    graph.output_f32(&flat, &shape(&[0, 5]));
    let imported = import(&graph.finish()).unwrap();
    assert_eq!(imported.description.output, "flat");
    assert_eq!(imported.description.logits, "logits");
    let last = imported_graph(&imported).node.last().cloned().unwrap();
    assert_eq!((last.op_type.as_str(), last.input[0].as_str()), ("Flatten", "pooled"));
}

#[test]
fn a_softmax_that_is_spelled_out_is_not_applied_twice() {
    let mut graph = GraphBuilder::new("spelled");
    let features = features(&mut graph, 0);
    let logits = dense(&mut graph, &features);
    let powers = graph.node("Exp", "powers", &[&logits], Vec::new());
    let axes = graph.initializer_i64("axes", &[1]);
    let sum = graph.node("ReduceSum", "sum", &[&powers, &axes], Vec::new());
    let output = graph.node("Div", "output", &[&powers, &sum], Vec::new());
    graph.output_f32(&output, &shape(&[0, 5]));
    let description = import(&graph.finish()).unwrap().description;
    assert_eq!(description.output_kind, OutputKind::Probabilities);
    assert_eq!(description.logits, "fc");
}

#[test]
fn a_softmax_over_the_images_is_refused() {
    let model = ending_in("Softmax", vec![attribute::int("axis", 0)]);
    assert_fault(&import(&model), "Unsupported", &["Softmax", "end", "axis"]);
}

#[test]
fn other_networks_are_named_for_what_they_are() {
    let model = identity(&[0, 3, 8, 6], &[0, 3, 8, 6]);
    assert_fault(&import(&model), "NotAClassifier", &["[N, 3, 8, 6]", "autoencoder"]);
    assert_fault(&import(&ending_in("Sigmoid", Vec::new())), "NotAClassifier", &["sigmoid"]);

    let mut model = classifier();
    let mut second = graph_of(&mut model).output[0].clone();
    second.name = "relu".to_owned();
    graph_of(&mut model).output.push(second);
    assert_fault(&import(&model), "NotAClassifier", &["2 outputs", "relu"]);

    let mut model = classifier();
    let labels = type_proto::Tensor { elem_type: DataType::Int64.into(), shape: None };
    let value = Some(type_proto::Value::TensorType(labels));
    graph_of(&mut model).output[0].r#type = Some(TypeProto { value, ..TypeProto::default() });
    assert_fault(&import(&model), "NotAClassifier", &["INT64"]);

    let mut graph = GraphBuilder::new("regression");
    let features = features(&mut graph, 0);
    let matrix = graph.initializer_f32("matrix", weights(&[4, 1]).view());
    let output = graph.node("MatMul", "output", &[&features, &matrix], Vec::new());
    graph.output_f32(&output, &shape(&[0, 1]));
    assert_fault(&import(&graph.finish()), "NotAClassifier", &["one number"]);

    let mut graph = GraphBuilder::new("constant");
    graph.input_f32("image", &shape(&[0, 3, 8, 6]));
    let fixed = graph.initializer_f32("fixed", weights(&[1, 5]).view());
    let output = graph.node("Identity", "output", &[&fixed], Vec::new());
    graph.output_f32(&output, &shape(&[1, 5]));
    assert_fault(&import(&graph.finish()), "NotAClassifier", &["does not depend"]);
}

#[test]
fn the_count_of_classes_is_read_from_the_weights_where_it_is_not_declared() {
    let mut model = classifier();
    let open = type_proto::Tensor { elem_type: DataType::Float.into(), shape: None };
    let value = Some(type_proto::Value::TensorType(open));
    graph_of(&mut model).output[0].r#type = Some(TypeProto { value, ..TypeProto::default() });
    assert_eq!(import(&model).unwrap().description.classes, 5);

    let mut graph = GraphBuilder::new("lying");
    let features = features(&mut graph, 0);
    let output = dense(&mut graph, &features);
    graph.output_f32(&output, &shape(&[0, 10]));
    assert_fault(&import(&graph.finish()), "Damaged", &["10 classes", "make 5"]);
}

#[test]
fn layers_carry_shapes_and_counts_of_weights() {
    let description = import(&classifier()).unwrap().description;
    let layers: Vec<(&str, &[u64], u64)> = description
        .layers
        .iter()
        .map(|layer| (layer.kind.as_str(), layer.output_shape.as_slice(), layer.parameters))
        .collect();
    let expected: [(&str, &[u64], u64); 7] = [
        ("Conv", &[4, 8, 6], 108),
        ("BatchNormalization", &[4, 8, 6], 16),
        ("Relu", &[4, 8, 6], 0),
        ("GlobalAveragePool", &[4, 1, 1], 0),
        ("Flatten", &[4], 0),
        ("Gemm", &[5], 25),
        ("Softmax", &[5], 0),
    ];
    assert_eq!(layers, expected);
    assert_eq!(description.parameters, 149);
    assert_eq!(description.layers[2].tensor, "relu");
}

#[test]
fn pictures_of_one_pixel_are_flattened() {
    for operator in ["", "Softmax"] {
        let mut graph = GraphBuilder::new("pixel");
        let image = graph.input_f32("image", &shape(&[1, 3, 8, 6]));
        let kernel = graph.initializer_f32("kernel", weights(&[5, 3, 1, 1]).view());
        let maps = graph.node("Conv", "maps", &[&image, &kernel], Vec::new());
        let mut output = graph.node("GlobalAveragePool", "pooled", &[&maps], Vec::new());
        if !operator.is_empty() {
            output = graph.node(operator, "soft", &[&output], vec![attribute::int("axis", 1)]);
        }
        graph.output_f32(&output, &shape(&[1, 5, 1, 1]));
        let description = import(&graph.finish()).unwrap().description;
        assert_eq!(description.classes, 5);
        assert!(description.dynamic_batch);
        let (output, logits) =
            if operator.is_empty() { ("probabilities", "flattened") } else { ("flattened", "logits") };
        assert_eq!((description.output.as_str(), description.logits.as_str()), (output, logits));
    }
}
