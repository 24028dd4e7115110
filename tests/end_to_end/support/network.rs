//! The smallest classifier: one matrix over the pixels, whose answers a test can compute by itself.

use std::path::Path;

use gifthorse_network::onnx::{Extent, GraphBuilder};
use hdf5::types::{FixedAscii, VarLenUnicode};
use hdf5::{File, Group};
use ndarray::{Array1, Array2, arr0};
use prost::Message;
use serde_json::{Value, json};

/// Rows of pixels.
pub(crate) const HEIGHT: usize = 6;
/// Columns of pixels.
pub(crate) const WIDTH: usize = 5;
/// Colour channels.
pub(crate) const CHANNELS: usize = 3;
/// Values of one image.
pub(crate) const VALUES: usize = HEIGHT * WIDTH * CHANNELS;
/// Classes.
pub(crate) const CLASSES: usize = 4;

/// How an ONNX file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It answers probabilities.
    Softmax,
    /// It answers what goes into the softmax.
    Logits,
}

/// `softmax(pixels · weights + bias)`, `[N, 6, 5, 3]` to `[N, 4]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    /// A network of its own for every seed.
    pub(crate) fn new(seed: usize) -> Self {
        // Multiples of 1/16 are exact in f32, so every way of writing them keeps them.
        let weight =
            |(row, class)| ((row * 37 + class * 11 + (row % 7) * (seed + 1) * 13) % 33) as f32 / 16.0 - 1.0;
        let weights = Array2::from_shape_fn((VALUES, CLASSES), weight);
        let bias = Array1::from_shape_fn(CLASSES, |class| ((class + seed) % 5) as f32 / 8.0);
        Self { weights, bias }
    }

    /// As an ONNX file.
    pub(crate) fn onnx(&self, ending: Ending) -> Vec<u8> {
        let mut graph = GraphBuilder::new("linear");
        let sides = [HEIGHT, WIDTH, CHANNELS].map(|side| Extent::Fixed(side as u64));
        let shape: Vec<Extent> = std::iter::once(Extent::batch()).chain(sides).collect();
        let input = graph.input_f32("pixels", &shape);
        let flat = graph.node("Flatten", "flat", &[&input], Vec::new());
        let weights = graph.initializer_f32("weights", self.weights.view());
        let product = graph.node("MatMul", "product", &[&flat, &weights], Vec::new());
        let bias = graph.initializer_f32("bias", self.bias.view());
        let logits = graph.node("Add", "logits", &[&product, &bias], Vec::new());
        let output = match ending {
            Ending::Softmax => graph.node("Softmax", "probabilities", &[&logits], Vec::new()),
            Ending::Logits => logits,
        };
        graph.output_f32(&output, &[Extent::batch(), Extent::Fixed(CLASSES as u64)]);
        graph.finish().encode_to_vec()
    }

    /// As a full Keras model.
    pub(crate) fn keras(&self) -> Vec<u8> {
        self.hdf5(|file| {
            let description: VarLenUnicode = architecture().to_string().parse().unwrap();
            file.new_attr_builder().with_data(&arr0(description)).create("model_config").unwrap();
            file.create_group("model_weights").unwrap()
        })
    }

    /// As Keras weights alone; [`architecture`] is theirs.
    pub(crate) fn keras_weights(&self) -> Vec<u8> {
        self.hdf5(|file| file.as_group().unwrap())
    }

    fn hdf5(&self, root: impl FnOnce(&File) -> Group) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.h5");
        let file = File::create(&path).unwrap();
        let version: VarLenUnicode = "2.9.0".parse().unwrap();
        file.new_attr_builder().with_data(&arr0(version)).create("keras_version").unwrap();
        self.fill(&root(&file));
        file.close().unwrap();
        bytes(&path)
    }

    fn fill(&self, root: &Group) {
        let name = |text: &str| FixedAscii::<16>::from_ascii(text).unwrap();
        let layers = Array1::from(vec![name("input"), name("flatten"), name("fc")]);
        root.new_attr_builder().with_data(&layers).create("layer_names").unwrap();
        for layer in ["input", "flatten"] {
            let group = root.create_group(layer).unwrap();
            group.new_attr::<f64>().shape(0).create("weight_names").unwrap();
        }
        let group = root.create_group("fc").unwrap();
        let tensors = Array1::from(vec![name("fc/kernel:0"), name("fc/bias:0")]);
        group.new_attr_builder().with_data(&tensors).create("weight_names").unwrap();
        group.new_dataset_builder().with_data(&self.weights).create("fc/kernel:0").unwrap();
        group.new_dataset_builder().with_data(&self.bias).create("fc/bias:0").unwrap();
    }

    /// The probabilities for prepared values, computed here in double precision.
    pub(crate) fn answers(&self, prepared: &[f32]) -> Vec<f64> {
        let logit = |class: usize| {
            let column = self.weights.column(class);
            let products =
                column.iter().zip(prepared).map(|(weight, value)| f64::from(*weight) * f64::from(*value));
            products.sum::<f64>() + f64::from(self.bias[class])
        };
        let logits: Vec<f64> = (0..CLASSES).map(logit).collect();
        let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        exponentials.iter().map(|exponential| exponential / sum).collect()
    }
}

/// The architecture as Keras writes it in JSON.
pub(crate) fn architecture() -> Value {
    json!({"class_name": "Functional", "config": {"name": "linear", "layers": [
        {"class_name": "InputLayer", "name": "input", "inbound_nodes": [],
         "config": {"name": "input", "batch_input_shape": [null, HEIGHT, WIDTH, CHANNELS], "dtype": "float32"}},
        {"class_name": "Flatten", "name": "flatten", "inbound_nodes": [[["input", 0, 0, {}]]],
         "config": {"name": "flatten"}},
        {"class_name": "Dense", "name": "fc", "inbound_nodes": [[["flatten", 0, 0, {}]]],
         "config": {"name": "fc", "units": CLASSES, "activation": "softmax", "use_bias": true}},
    ], "input_layers": [["input", 0, 0]], "output_layers": [["fc", 0, 0]]}})
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
