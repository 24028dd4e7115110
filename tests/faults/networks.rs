//! Small networks in both formats, sound and otherwise, made here.

use gifthorse_network::onnx::messages::{ModelProto, TensorProto};
use gifthorse_network::onnx::{Extent, GraphBuilder, attribute};
use hdf5::types::{FixedAscii, VarLenUnicode};
use hdf5::{File, Group};
use ndarray::{Array1, ArrayD, IxDyn, arr0};
use prost::Message as _;
use serde_json::{Value, json};

/// Rows of the small networks' images.
pub(crate) const HEIGHT: u32 = 8;
/// Columns of them.
pub(crate) const WIDTH: u32 = 6;

/// Name of the ONNX networks' input.
pub(crate) const INPUT: &str = "image";

fn values(shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| (index as f32 * 0.7).sin()).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

fn extents(sizes: &[u64]) -> Vec<Extent> {
    std::iter::once(Extent::batch()).chain(sizes.iter().map(|size| Extent::Fixed(*size))).collect()
}

/// A convolution, a rectifier, global pooling and a dense layer: `[N, 3, 8, 6]` into 5 classes.
pub(crate) fn model() -> ModelProto {
    let mut graph = GraphBuilder::new("small");
    let image = graph.input_f32(INPUT, &extents(&[3, u64::from(HEIGHT), u64::from(WIDTH)]));
    let kernel = graph.initializer_f32("kernel", values(&[4, 3, 3, 3]).view());
    let convolved =
        graph.node("Conv", "conv", &[&image, &kernel], vec![attribute::ints("pads", &[1, 1, 1, 1])]);
    let positive = graph.node("Relu", "relu", &[&convolved], Vec::new());
    let pooled = graph.node("GlobalAveragePool", "pool", &[&positive], Vec::new());
    let flat = graph.node("Flatten", "flat", &[&pooled], vec![attribute::int("axis", 1)]);
    let matrix = graph.initializer_f32("matrix", values(&[5, 4]).view());
    let dense = graph.node("Gemm", "dense", &[&flat, &matrix], vec![attribute::int("transB", 1)]);
    let classes = graph.node("Softmax", "classes", &[&dense], vec![attribute::int("axis", -1)]);
    graph.output_f32(&classes, &extents(&[5]));
    graph.finish()
}

/// [`model`] as a file.
pub(crate) fn onnx() -> Vec<u8> {
    model().encode_to_vec()
}

/// [`model`] with one of its weights changed.
pub(crate) fn onnx_with(change: impl FnOnce(&mut TensorProto)) -> Vec<u8> {
    let mut model = model();
    change(&mut model.graph.as_mut().unwrap().initializer[0]);
    model.encode_to_vec()
}

/// A network that takes a reader a while: some 36 MB of weights in a bottleneck turned inside out.
pub(crate) fn heavy_onnx() -> Vec<u8> {
    const WIDE: usize = 1_000_000;
    let mut graph = GraphBuilder::new("heavy");
    let image = graph.input_f32(INPUT, &extents(&[3, u64::from(HEIGHT), u64::from(WIDTH)]));
    let pooled = graph.node("GlobalAveragePool", "pool", &[&image], Vec::new());
    let flat = graph.node("Flatten", "flat", &[&pooled], vec![attribute::int("axis", 1)]);
    let widen = graph.initializer_f32("widen", values(&[3, WIDE]).view());
    let wide = graph.node("MatMul", "wide", &[&flat, &widen], Vec::new());
    let narrow = graph.initializer_f32("narrow", values(&[WIDE, 6]).view());
    let dense = graph.node("MatMul", "dense", &[&wide, &narrow], Vec::new());
    let classes = graph.node("Softmax", "classes", &[&dense], vec![attribute::int("axis", -1)]);
    graph.output_f32(&classes, &extents(&[6]));
    graph.finish().encode_to_vec()
}

/// The layers of the small Keras network: `[N, 8, 6, 3]` into 3 classes.
fn layers() -> Vec<Value> {
    let layer = |class: &str, name: &str, config: Value| {
        let mut config = config;
        config["name"] = json!(name);
        json!({"class_name": class, "config": config})
    };
    vec![
        layer(
            "InputLayer",
            "input",
            json!({"batch_input_shape": [null, HEIGHT, WIDTH, 3], "dtype": "float32"}),
        ),
        layer(
            "Conv2D",
            "conv",
            json!({"filters": 2, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid",
                   "data_format": "channels_last", "activation": "relu", "use_bias": true}),
        ),
        layer("MaxPooling2D", "pool", json!({"pool_size": [2, 2], "strides": [2, 2], "padding": "valid"})),
        layer("Flatten", "flatten", json!({})),
        layer("Dense", "fc", json!({"units": 3, "activation": "softmax", "use_bias": true})),
    ]
}

/// The small Keras network as a full model, `.h5`.
pub(crate) fn keras() -> Vec<u8> {
    keras_file(&layers(), &values(&[3, 3, 3, 2]))
}

/// The small Keras network with NaN among the weights of its convolution.
pub(crate) fn keras_with_nan() -> Vec<u8> {
    let mut kernel = values(&[3, 3, 3, 2]);
    kernel[[1, 2, 0, 1]] = f32::NAN;
    keras_file(&layers(), &kernel)
}

/// The small Keras network with a Lambda layer before its end.
pub(crate) fn keras_with_lambda() -> Vec<u8> {
    let mut layers = layers();
    let code = json!(["4wEAAAAAAAAAAAAAAAEAAAABAAAAQwAAAHMEAAAAfABTACkBTqkA\n", null, null]);
    layers.insert(
        4,
        json!({"class_name": "Lambda", "config": {"name": "surprise", "function": code,
        "function_type": "lambda", "module": "__main__"}}),
    );
    keras_file(&layers, &values(&[3, 3, 3, 2]))
}

fn keras_file(layers: &[Value], kernel: &ArrayD<f32>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.h5");
    let file = File::create(&path).unwrap();
    let config = json!({"class_name": "Sequential", "config": {"name": "small", "layers": layers}});
    for (attribute, text) in [("keras_version", "2.4.0".to_owned()), ("model_config", config.to_string())] {
        let text: VarLenUnicode = text.parse().unwrap();
        file.new_attr_builder().with_data(&arr0(text)).create(attribute).unwrap();
    }
    let root = file.create_group("model_weights").unwrap();
    put_names(&root, "layer_names", &["conv", "fc"]);
    for (layer, tensors) in [
        ("conv", [("conv/kernel:0", kernel.clone()), ("conv/bias:0", values(&[2]))]),
        ("fc", [("fc/kernel:0", values(&[12, 3])), ("fc/bias:0", values(&[3]))]),
    ] {
        let group = root.create_group(layer).unwrap();
        put_names(&group, "weight_names", &[tensors[0].0, tensors[1].0]);
        for (name, tensor) in tensors {
            group.new_dataset_builder().with_data(&tensor).create(name).unwrap();
        }
    }
    drop((root, file));
    std::fs::read(path).unwrap()
}

fn put_names(group: &Group, attribute: &str, names: &[&str]) {
    let names: Array1<FixedAscii<16>> =
        names.iter().map(|name| FixedAscii::from_ascii(name).unwrap()).collect();
    group.new_attr_builder().with_data(&names).create(attribute).unwrap();
}
