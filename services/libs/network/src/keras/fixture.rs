//! Small Keras files for the tests, written as Keras writes them.

use std::path::{Path, PathBuf};

use hdf5::types::{FixedAscii, VarLenUnicode};
use hdf5::{File, Group};
use ndarray::{Array1, ArrayD, IxDyn, arr0};
use serde_json::{Value, json};

/// A layer's name and its weights: names and shapes.
pub(super) type Weights = Vec<(&'static str, Vec<(&'static str, Vec<usize>)>)>;

/// A file in a folder of its own, which lives as long as this.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    /// Where the file is.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("model.h5")
    }

    /// Another place in the same folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the file for writing.
    pub(super) fn edit(&self) -> File {
        File::open_rw(self.path()).unwrap()
    }
}

/// `[6, 5, 3]` picture, `conv` 4@3x3 relu, `pool` 2x2, `flatten`, `fc` 3 softmax; 4 x 28 + 15 weights.
pub(super) fn description() -> Value {
    json!({"class_name": "Functional", "config": {"name": "small", "layers": [
        {"class_name": "InputLayer", "name": "input", "inbound_nodes": [],
         "config": {"name": "input", "batch_input_shape": [null, 6, 5, 3], "dtype": "float32"}},
        {"class_name": "Conv2D", "name": "conv", "inbound_nodes": [[["input", 0, 0, {}]]],
         "config": {"name": "conv", "filters": 4, "kernel_size": [3, 3], "strides": [1, 1],
                    "padding": "valid", "data_format": "channels_last", "activation": "relu"}},
        {"class_name": "MaxPooling2D", "name": "pool", "inbound_nodes": [[["conv", 0, 0, {}]]],
         "config": {"name": "pool", "pool_size": [2, 2], "strides": null, "padding": "valid"}},
        {"class_name": "Flatten", "name": "flatten", "inbound_nodes": [[["pool", 0, 0, {}]]],
         "config": {"name": "flatten"}},
        {"class_name": "Dense", "name": "fc", "inbound_nodes": [[["flatten", 0, 0, {}]]],
         "config": {"name": "fc", "units": 3, "activation": "softmax", "use_bias": true}},
    ], "input_layers": [["input", 0, 0]], "output_layers": [["fc", 0, 0]]}})
}

/// The weights that [`description`] needs.
pub(super) fn weights() -> Weights {
    vec![
        ("conv", vec![("conv/kernel:0", vec![3, 3, 3, 4]), ("conv/bias:0", vec![4])]),
        ("flatten", Vec::new()),
        ("fc", vec![("fc/kernel:0", vec![8, 3]), ("fc/bias:0", vec![3])]),
    ]
}

/// Numbers that tell the elements of a tensor apart: 0, 1/8, 2/8, ...
pub(super) fn counted(shape: &[usize]) -> ArrayD<f32> {
    let count = shape.iter().product::<usize>();
    let values = (0..count).map(|index| index as f32 / 8.0).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

fn fill(root: &Group, weights: &Weights) {
    let names: Array1<FixedAscii<12>> =
        weights.iter().map(|(layer, _)| FixedAscii::from_ascii(layer).unwrap()).collect();
    root.new_attr_builder().with_data(&names).create("layer_names").unwrap();
    for (layer, tensors) in weights {
        let group = root.create_group(layer).unwrap();
        if tensors.is_empty() {
            group.new_attr::<f64>().shape(0).create("weight_names").unwrap();
            continue;
        }
        let names: Array1<FixedAscii<15>> =
            tensors.iter().map(|(name, _)| FixedAscii::from_ascii(name).unwrap()).collect();
        group.new_attr_builder().with_data(&names).create("weight_names").unwrap();
        for (name, shape) in tensors {
            group.new_dataset_builder().with_data(&counted(shape)).create(*name).unwrap();
        }
    }
}

/// A full model, or with no description a file of weights alone.
pub(super) fn written(description: Option<&str>, weights: &Weights) -> Fixture {
    let fixture = Fixture { folder: tempfile::tempdir().unwrap() };
    let file = File::create(fixture.path()).unwrap();
    let version: VarLenUnicode = "2.4.0".parse().unwrap();
    file.new_attr_builder().with_data(&arr0(version)).create("keras_version").unwrap();
    match description {
        Some(description) => {
            let description: VarLenUnicode = description.parse().unwrap();
            file.new_attr_builder().with_data(&arr0(description)).create("model_config").unwrap();
            fill(&file.create_group("model_weights").unwrap(), weights);
        }
        None => fill(&file, weights),
    }
    fixture
}

/// The small full model.
pub(super) fn small() -> Fixture {
    written(Some(&description().to_string()), &weights())
}

/// The folder of real networks, where the machine has it.
pub(super) fn real_networks() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let data = std::env::var_os("GIFTHORSE_TEST_DATA");
    let folder = data.map_or_else(|| root.join("../shared/data"), PathBuf::from).join("csaw");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: the test of real networks needs test data at {}", folder.display());
    None
}
