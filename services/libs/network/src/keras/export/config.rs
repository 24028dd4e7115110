//! A model description that Keras 2 and Keras 3 both load.

use serde_json::{Map, Value, json};

use super::super::model::{Content, Endpoint, Entry, Model, Style};
use super::order::keras_order;

/// The description of a model: class name and configuration.
pub(super) fn describe(model: &Model) -> Value {
    let order = keras_order(model);
    let entries = order.iter().map(|index| &model.entries[*index]);
    match model.style {
        Style::Sequential => {
            // A start whose shape is not known is left out; the model around it tells.
            let known = entries.filter(|entry| entry.content != Content::Input(None));
            let layers: Vec<Value> = known.map(layer).collect();
            json!({"class_name": "Sequential", "config": {"name": model.name, "layers": layers}})
        }
        Style::Functional => {
            let layers: Vec<Value> = entries.map(|entry| called(layer(entry), model, entry)).collect();
            let ends = |ends: &[Endpoint]| ends.iter().map(|end| endpoint(model, end)).collect::<Vec<_>>();
            json!({"class_name": "Functional", "config": {
                "name": model.name,
                "layers": layers,
                "input_layers": ends(&model.inputs),
                "output_layers": ends(&model.outputs),
            }})
        }
    }
}

fn endpoint(model: &Model, end: &Endpoint) -> Value {
    json!([model.entries[end.entry].name, end.call, end.output])
}

/// Adds the calls of a layer in the form of Keras 2, which Keras 3 reads too.
fn called(mut layer: Value, model: &Model, entry: &Entry) -> Value {
    let calls = entry.calls.iter().map(|inputs| {
        let inputs =
            inputs.iter().map(|end| json!([model.entries[end.entry].name, end.call, end.output, {}]));
        inputs.collect::<Vec<_>>()
    });
    layer["inbound_nodes"] = calls.map(Value::from).collect::<Vec<_>>().into();
    layer["name"] = entry.name.clone().into();
    layer
}

fn layer(entry: &Entry) -> Value {
    match &entry.content {
        Content::Model(model) => {
            let mut described = describe(model);
            described["config"]["name"] = entry.name.clone().into();
            described
        }
        Content::Input(shape) => {
            let sizes = shape.iter().flatten().map(|size| json!(size));
            let shape: Vec<Value> = std::iter::once(Value::Null).chain(sizes).collect();
            let config = json!({"name": entry.name, "batch_input_shape": shape, "dtype": "float32"});
            json!({"class_name": "InputLayer", "config": config})
        }
        Content::Layer(_) => {
            let class = canonical(&entry.class);
            let mut config = Map::new();
            for (key, value) in &entry.config {
                if matters(class, key) && !value.is_null() {
                    config.insert(key.clone(), plain(key, value));
                }
            }
            config.insert("name".to_owned(), entry.name.clone().into());
            json!({"class_name": class, "config": config})
        }
    }
}

/// The one name of a class that has several.
fn canonical(class: &str) -> &str {
    match class {
        "Convolution2D" => "Conv2D",
        "DepthwiseConvolution2D" => "DepthwiseConv2D",
        "SeparableConvolution2D" => "SeparableConv2D",
        "MaxPool2D" => "MaxPooling2D",
        "AvgPool2D" => "AveragePooling2D",
        "GlobalMaxPool2D" => "GlobalMaxPooling2D",
        "GlobalAvgPool2D" => "GlobalAveragePooling2D",
        "BatchNormalizationV1" | "BatchNormalizationV2" => "BatchNormalization",
        class => class,
    }
}

/// Whether a key changes what the layer computes from its weights; the others differ between versions of
/// Keras, which refuse keys they do not know.
fn matters(class: &str, key: &str) -> bool {
    const WINDOW: &[&str] = &["kernel_size", "strides", "padding", "data_format", "dilation_rate"];
    const OUTPUT: &[&str] = &["activation", "use_bias"];
    match class {
        "Conv2D" => [WINDOW, OUTPUT, &["filters", "groups"]].concat().contains(&key),
        "DepthwiseConv2D" => [WINDOW, OUTPUT, &["depth_multiplier"]].concat().contains(&key),
        "SeparableConv2D" => [WINDOW, OUTPUT, &["depth_multiplier", "filters"]].concat().contains(&key),
        "Dense" => [OUTPUT, &["units"]].concat().contains(&key),
        "MaxPooling2D" | "AveragePooling2D" => {
            ["pool_size", "strides", "padding", "data_format"].contains(&key)
        }
        "GlobalMaxPooling2D" | "GlobalAveragePooling2D" => ["data_format", "keepdims"].contains(&key),
        "BatchNormalization" => ["axis", "momentum", "epsilon", "center", "scale"].contains(&key),
        "Activation" => key == "activation",
        "ReLU" => ["max_value", "negative_slope", "threshold"].contains(&key),
        "LeakyReLU" => ["alpha", "negative_slope"].contains(&key),
        "ELU" => key == "alpha",
        "PReLU" => key == "shared_axes",
        "Softmax" | "Concatenate" => key == "axis",
        "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" | "Identity" => false,
        "Flatten" => key == "data_format",
        "Reshape" => key == "target_shape",
        "Permute" => key == "dims",
        "ZeroPadding2D" => ["padding", "data_format"].contains(&key),
        "Cropping2D" => ["cropping", "data_format"].contains(&key),
        "UpSampling2D" => ["size", "interpolation", "data_format"].contains(&key),
        "Rescaling" => ["scale", "offset"].contains(&key),
        // The layers of training: each has its own few keys.
        _ => !["dtype", "trainable", "batch_input_shape", "batch_shape"].contains(&key),
    }
}

/// A value without the wrappings that only some versions of Keras understand.
fn plain(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("axis", Value::Array(axes)) if axes.len() == 1 => axes[0].clone(),
        ("activation", Value::Object(function)) if function.get("class_name") == Some(&json!("function")) => {
            function.get("config").cloned().unwrap_or_default()
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::activation::Generation;
    use super::*;

    fn described(description: &Value) -> Value {
        describe(&Model::parse(&description.to_string(), Generation::Two).unwrap())
    }

    #[test]
    fn an_old_model_becomes_a_functional_one_without_what_keras_3_refuses() {
        let model = json!({"class_name": "Model", "config": {"name": "m", "layers": [
            {"class_name": "InputLayer", "name": "in", "inbound_nodes": [],
             "config": {"name": "in", "batch_input_shape": [32, 8, 8, 3], "sparse": false}},
            {"class_name": "DepthwiseConv2D", "name": "d", "inbound_nodes": [[["in", 0, 0, {}]]],
             "config": {"name": "d", "kernel_size": [3, 3], "groups": 1, "dtype": "float32",
                        "activation": {"class_name": "function", "config": "relu"},
                        "depthwise_initializer": {"class_name": "Custom>Own"}, "bias_regularizer": null}},
        ], "input_layers": [["in", 0, 0]], "output_layers": [["d", 0, 0]]}});
        let described = described(&model);
        assert_eq!(described["class_name"], "Functional");
        let layers = &described["config"]["layers"];
        assert_eq!(layers[0]["config"]["batch_input_shape"], json!([null, 8, 8, 3]));
        assert_eq!(layers[1]["config"], json!({"name": "d", "kernel_size": [3, 3], "activation": "relu"}));
        assert_eq!(layers[1]["inbound_nodes"], json!([[["in", 0, 0, {}]]]));
        assert_eq!(described["config"]["output_layers"], json!([["d", 0, 0]]));
    }

    #[test]
    fn what_was_written_is_read_as_the_same_model() {
        let model = json!({"class_name": "Sequential", "config": [
            {"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": [3, 3],
                "batch_input_shape": [null, 8, 8, 3]}},
            {"class_name": "BatchNormalization", "config": {"name": "b", "axis": [3]}},
        ]});
        let written = described(&model);
        assert_eq!(described(&written), written);
        assert_eq!(written["config"]["layers"][2]["config"], json!({"name": "b", "axis": 3}));
    }
}
