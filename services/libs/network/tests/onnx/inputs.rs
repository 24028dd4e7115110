//! The image input: how many, which type, layout and size.

use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{ModelProto, TypeProto, type_proto};
use gifthorse_network::onnx::{GraphBuilder, InputSize, OnnxOptions, attribute, import as import_with};
use gifthorse_network::{Imported, Layout, NetworkError};
use prost::Message as _;

use crate::samples::{assert_fault, classifier, graph_of, identity, import, imported_graph, shape, weights};

/// A classifier whose input has these sizes, its first operator being `first` with the attribute `perm`.
fn taking(sizes: &[u64], first: &str, perm: &[i64]) -> ModelProto {
    let mut graph = GraphBuilder::new("taking");
    let image = graph.input_f32("image", &shape(sizes));
    let halved = graph.initializer_f32("half", ndarray::arr0(0.5_f32).view());
    let scaled = graph.node("Mul", "scaled", &[&image, &halved], Vec::new());
    let attributes = if perm.is_empty() { Vec::new() } else { vec![attribute::ints("perm", perm)] };
    let turned = graph.node(first, "turned", &[&scaled], attributes);
    let pooled = graph.node("GlobalMaxPool", "pooled", &[&turned], Vec::new());
    let target = graph.initializer_i64("target", &[0, -1]);
    let flat = graph.node("Reshape", "flat", &[&pooled, &target], Vec::new());
    let matrix = graph.initializer_f32("matrix", weights(&[3, 5]).view());
    let output = graph.node("MatMul", "output", &[&flat, &matrix], Vec::new());
    graph.output_f32(&output, &shape(&[0, 5]));
    graph.finish()
}

fn import_as(model: &ModelProto, options: &OnnxOptions) -> Result<Imported, NetworkError> {
    import_with(&model.encode_to_vec(), options)
}

#[test]
fn the_layout_follows_from_the_sizes() {
    let first = import(&classifier()).unwrap().description;
    assert_eq!((first.layout, first.height, first.width, first.channels), (Layout::Nchw, 8, 6, 3));
    let last = import(&taking(&[0, 8, 6, 3], "Transpose", &[0, 3, 1, 2])).unwrap().description;
    assert_eq!((last.layout, last.height, last.width, last.channels), (Layout::Nhwc, 8, 6, 3));
}

#[test]
fn where_the_sizes_leave_it_open_the_first_operator_tells() {
    let last = import(&taking(&[0, 3, 8, 3], "Transpose", &[0, 3, 1, 2])).unwrap().description;
    assert_eq!((last.layout, last.height, last.width), (Layout::Nhwc, 3, 8));
    let first = import(&taking(&[0, 3, 8, 3], "BatchNormalization", &[])).unwrap().description;
    assert_eq!((first.layout, first.height, first.width), (Layout::Nchw, 8, 3));
}

#[test]
fn an_open_layout_must_be_said() {
    let model = taking(&[0, 3, 8, 3], "Relu", &[]);
    assert_fault(&import(&model), "Unsupported", &["--layout", "[?, 3, 8, 3]"]);
    for layout in [Layout::Nchw, Layout::Nhwc] {
        let options = OnnxOptions { layout: Some(layout), ..OnnxOptions::default() };
        assert_eq!(import_as(&model, &options).unwrap().description.layout, layout);
    }
    let options = OnnxOptions { layout: Some(Layout::Nhwc), ..OnnxOptions::default() };
    assert_fault(&import_as(&classifier(), &options), "Unsupported", &["axis 3", "1, 3 or 4"]);
}

#[test]
fn a_free_size_must_be_said_and_a_fixed_one_not_contradicted() {
    let model = taking(&[0, 3, 0, 0], "Relu", &[]);
    assert_fault(&import(&model), "Unsupported", &["height", "--input-size"]);
    let size = InputSize { height: 20, width: 10 };
    let sized = OnnxOptions { input_size: Some(size), ..OnnxOptions::default() };
    let imported = import_as(&model, &sized).unwrap();
    assert_eq!((imported.description.height, imported.description.width), (20, 10));
    let Some(type_proto::Value::TensorType(tensor)) =
        imported_graph(&imported).input[0].r#type.clone().unwrap().value
    else {
        panic!("the input is a tensor")
    };
    assert_eq!(tensor.shape.unwrap().dim.len(), 4);
    assert_fault(&import_as(&classifier(), &sized), "Unsupported", &["height 20", "3, 8, 6"]);
    let none = InputSize { height: 0, width: 10 };
    let none = OnnxOptions { input_size: Some(none), ..OnnxOptions::default() };
    assert_fault(&import_as(&model, &none), "Unsupported", &["height 0"]);
    let huge = InputSize { height: u64::MAX, width: u64::MAX };
    let huge = OnnxOptions { input_size: Some(huge), ..OnnxOptions::default() };
    assert_fault(&import_as(&model, &huge), "TooLarge", &["values in one image"]);
}

#[test]
fn other_inputs_are_no_images() {
    assert_fault(&import(&identity(&[0, 784], &[0, 784])), "NotAClassifier", &["[N, 784]"]);

    let mut model = classifier();
    let mut second = graph_of(&mut model).input[0].clone();
    second.name = "mask".to_owned();
    graph_of(&mut model).input.push(second);
    assert_fault(&import(&model), "NotAClassifier", &["2 inputs", "mask", "image"]);

    let mut model = classifier();
    let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) =
        graph_of(&mut model).input[0].r#type.as_mut()
    else {
        panic!("the input is a tensor")
    };
    tensor.elem_type = DataType::Uint8.into();
    assert_fault(&import(&model), "Unsupported", &["UINT8", "FP32"]);

    let mut model = classifier();
    let sequence = type_proto::Value::SequenceType(Box::default());
    graph_of(&mut model).input[0].r#type = Some(TypeProto { value: Some(sequence), ..TypeProto::default() });
    assert_fault(&import(&model), "NotAClassifier", &["a sequence"]);
}

#[test]
fn weights_listed_as_inputs_are_no_inputs() {
    let mut model = classifier();
    let mut listed = graph_of(&mut model).input[0].clone();
    listed.name = "conv.weight".to_owned();
    graph_of(&mut model).input.insert(0, listed);
    assert_eq!(import(&model).unwrap().description.input, "image");
}
