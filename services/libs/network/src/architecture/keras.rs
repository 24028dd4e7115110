//! Writing the Keras description of a network, layer by layer.

use serde_json::{Value, json};

/// A functional model in the making. Each call answers the name of the layer it added.
pub(super) struct Description {
    name: &'static str,
    layers: Vec<Value>,
}

impl Description {
    /// A model that starts from pictures `[N, H, W, C]`; the input layer is called `input`.
    pub(super) fn new(name: &'static str, [height, width, channels]: [u64; 3]) -> Self {
        let config = json!({"batch_input_shape": [null, height, width, channels], "dtype": "float32"});
        let mut description = Self { name, layers: Vec::new() };
        description.add("InputLayer", "input", &[], config);
        description
    }

    /// Any layer that is called once.
    pub(super) fn add(&mut self, class: &str, name: &str, inputs: &[&str], config: Value) -> String {
        let mut config = config;
        config["name"] = json!(name);
        let calls: Vec<Value> = inputs.iter().map(|input| json!([input, 0, 0, {}])).collect();
        let calls = if calls.is_empty() { json!([]) } else { json!([calls]) };
        self.layers
            .push(json!({"class_name": class, "name": name, "config": config, "inbound_nodes": calls}));
        name.to_owned()
    }

    /// A square convolution that keeps rows and columns, divided by its stride.
    pub(super) fn convolution(&mut self, name: &str, input: &str, shape: Convolution) -> String {
        let Convolution { filters, side, stride, bias } = shape;
        let config = json!({
            "filters": filters, "kernel_size": [side, side], "strides": [stride, stride], "padding": "same",
            "data_format": "channels_last", "activation": "linear", "use_bias": bias,
        });
        self.add("Conv2D", name, &[input], config)
    }

    /// Batch normalisation with the constants of Keras.
    pub(super) fn normalization(&mut self, name: &str, input: &str) -> String {
        let config = json!({"axis": [3], "momentum": 0.99, "epsilon": 0.001, "center": true, "scale": true});
        self.add("BatchNormalization", name, &[input], config)
    }

    /// A rectifier.
    pub(super) fn rectifier(&mut self, name: &str, input: &str) -> String {
        self.add("Activation", name, &[input], json!({"activation": "relu"}))
    }

    /// The largest of each two by two.
    pub(super) fn pooling(&mut self, name: &str, input: &str) -> String {
        let config = json!({
            "pool_size": [2, 2], "strides": [2, 2], "padding": "valid", "data_format": "channels_last",
        });
        self.add("MaxPooling2D", name, &[input], config)
    }

    /// A fully connected layer.
    pub(super) fn dense(&mut self, name: &str, input: &str, units: u64, activation: &str) -> String {
        self.add("Dense", name, &[input], json!({"units": units, "activation": activation, "use_bias": true}))
    }

    /// The mean of each channel.
    pub(super) fn mean(&mut self, name: &str, input: &str) -> String {
        self.add("GlobalAveragePooling2D", name, &[input], json!({"data_format": "channels_last"}))
    }

    /// The description, JSON, with this layer as the output.
    pub(super) fn ending_in(self, output: &str) -> String {
        let Self { name, layers } = self;
        let config = json!({
            "name": name, "layers": layers,
            "input_layers": [["input", 0, 0]], "output_layers": [[output, 0, 0]],
        });
        json!({"class_name": "Functional", "config": config}).to_string()
    }
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    /// Channels it makes.
    pub(super) filters: u64,
    /// Rows and columns of its window.
    pub(super) side: u64,
    /// Steps down and right.
    pub(super) stride: u64,
    /// Whether a bias is added.
    pub(super) bias: bool,
}
