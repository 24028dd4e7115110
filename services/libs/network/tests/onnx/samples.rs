//! Small networks to import.

use gifthorse_network::NetworkError;
use gifthorse_network::description::Imported;
use gifthorse_network::onnx::messages::{AttributeProto, GraphProto, ModelProto};
use gifthorse_network::onnx::{self, Extent, GraphBuilder, OnnxOptions, attribute};
use ndarray::{ArrayD, IxDyn};
use prost::Message as _;

/// Weights that are all different, and the same each time.
pub(crate) fn weights(shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| (index as f32 * 0.37).sin()).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

/// `[first, rest...]`, the first free when zero.
pub(crate) fn shape(sizes: &[u64]) -> Vec<Extent> {
    let extent = |size: &u64| if *size == 0 { Extent::batch() } else { Extent::Fixed(*size) };
    sizes.iter().map(extent).collect()
}

/// Convolution, normalisation, rectifier and global pooling of images `[batch, 3, 8, 6]`, flattened to
/// `[batch, 4]`; a batch of zero is free.
pub(crate) fn features(graph: &mut GraphBuilder, batch: u64) -> String {
    let image = graph.input_f32("image", &shape(&[batch, 3, 8, 6]));
    let kernel = graph.initializer_f32("conv.weight", weights(&[4, 3, 3, 3]).view());
    let pads = vec![attribute::ints("pads", &[1, 1, 1, 1])];
    let convolved = graph.node("Conv", "conv", &[&image, &kernel], pads);
    let mut normal = vec![convolved];
    for name in ["scale", "shift", "mean", "variance"] {
        normal.push(graph.initializer_f32(name, weights(&[4]).mapv(f32::abs).view()));
    }
    let normal: Vec<&str> = normal.iter().map(String::as_str).collect();
    let normalised = graph.node("BatchNormalization", "norm", &normal, Vec::new());
    let positive = graph.node("Relu", "relu", &[&normalised], Vec::new());
    let pooled = graph.node("GlobalAveragePool", "pool", &[&positive], Vec::new());
    graph.node("Flatten", "flat", &[&pooled], vec![attribute::int("axis", 1)])
}

/// A dense layer from 4 features to 5 classes.
pub(crate) fn dense(graph: &mut GraphBuilder, features: &str) -> String {
    let matrix = graph.initializer_f32("fc.weight", weights(&[5, 4]).view());
    let bias = graph.initializer_f32("fc.bias", weights(&[5]).view());
    graph.node("Gemm", "fc", &[features, &matrix, &bias], vec![attribute::int("transB", 1)])
}

/// The features, the dense layer, and at last `operator`, unless it is empty.
pub(crate) fn ending_in(operator: &str, attributes: Vec<AttributeProto>) -> ModelProto {
    let mut graph = GraphBuilder::new("small");
    let features = features(&mut graph, 0);
    let mut output = dense(&mut graph, &features);
    if !operator.is_empty() {
        output = graph.node(operator, "end", &[&output], attributes);
    }
    graph.output_f32(&output, &shape(&[0, 5]));
    graph.finish()
}

/// A sound classifier of `[N, 3, 8, 6]` into 5 classes with a softmax of its own.
pub(crate) fn classifier() -> ModelProto {
    ending_in("Softmax", vec![attribute::int("axis", -1)])
}

/// A network of one node on one input, for the rules about inputs and outputs.
pub(crate) fn identity(input: &[u64], output: &[u64]) -> ModelProto {
    let mut graph = GraphBuilder::new("identity");
    let image = graph.input_f32("image", &shape(input));
    let same = graph.node("Identity", "same", &[&image], Vec::new());
    graph.output_f32(&same, &shape(output));
    graph.finish()
}

/// The graph of a model, to break it.
pub(crate) fn graph_of(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// Imports a model with the default options.
pub(crate) fn import(model: &ModelProto) -> Result<Imported, NetworkError> {
    onnx::import(&model.encode_to_vec(), &OnnxOptions::default())
}

/// The graph of an imported model.
pub(crate) fn imported_graph(imported: &Imported) -> GraphProto {
    ModelProto::decode(imported.onnx.as_slice()).unwrap().graph.unwrap()
}

/// Asserts that the import fails with this variant and a message that holds all of `parts`.
#[track_caller]
pub(crate) fn assert_fault(result: &Result<Imported, NetworkError>, variant: &str, parts: &[&str]) {
    let error = result.as_ref().expect_err("the import must fail");
    let (debug, text) = (format!("{error:?}"), error.to_string());
    assert!(debug.starts_with(variant), "expected {variant}, got {debug}");
    for part in parts {
        assert!(text.contains(part), "{text:?} must mention {part:?}");
    }
}
