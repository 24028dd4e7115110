//! A Keras model description as a graph: `Sequential`, `Functional` and models within models.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::activation::Generation;
use super::calls::{Call, endpoints, inbound_calls};
use super::fault::{damaged, shortened, unsupported};
use super::layer::{DataFormat, Layer};
use super::settings::Settings;
use super::{layer_parse, origin};
use crate::NetworkError;

/// The longest model description, in bytes.
pub(super) const LONGEST_DESCRIPTION: usize = 32 << 20;
/// The most layers of one model.
const MOST_LAYERS: usize = 10_000;
/// The most models within models.
const DEEPEST_NESTING: usize = 16;

/// How Keras built the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A chain.
    Sequential,
    /// A graph.
    Functional,
}

/// One output of one call of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    /// Index of the layer in its model.
    pub(super) entry: usize,
    /// Which call, from 0.
    pub(super) call: usize,
    /// Which output of the call, from 0; more than one only for models.
    pub(super) output: usize,
}

/// What a layer does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// The start: shape without the batch axis where the description gives one, `None` for an open size.
    Input(Option<Vec<Option<usize>>>),
    /// A plain layer.
    Layer(Layer),
    /// A model within the model.
    Model(Box<Model>),
}

/// A layer and its calls.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Its name, unique in its model.
    pub(super) name: String,
    /// Its class as in the file.
    pub(super) class: String,
    /// Its configuration as in the file.
    pub(super) config: Map<String, Value>,
    /// What it does.
    pub(super) content: Content,
    /// The inputs of each call; empty for the start.
    pub(super) calls: Vec<Vec<Endpoint>>,
}

/// A model, its layers in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    /// Its name.
    pub(super) name: String,
    /// How Keras built it.
    pub(super) style: Style,
    /// Its layers.
    pub(super) entries: Vec<Entry>,
    /// Where its inputs enter.
    pub(super) inputs: Vec<Endpoint>,
    /// Where its outputs leave.
    pub(super) outputs: Vec<Endpoint>,
}

impl Model {
    /// Parses a model description, JSON as Keras writes it.
    pub(super) fn parse(json: &str, generation: Generation) -> Result<Self, NetworkError> {
        if json.len() > LONGEST_DESCRIPTION {
            return Err(NetworkError::TooLarge {
                what: "the model description in bytes".to_owned(),
                found: json.len() as u64,
                limit: LONGEST_DESCRIPTION as u64,
            });
        }
        let value: Value = serde_json::from_str(json)
            .map_err(|error| damaged(format!("the model description is not JSON: {error}")))?;
        let root = value.as_object().ok_or_else(|| damaged("the model description is no JSON object"))?;
        let class = class_name(root)?;
        origin::check_layer(class, root)?;
        let parsed = nested(class, root, generation, 0)?;
        parsed.ok_or_else(|| {
            unsupported(format!("a model of class {class:?}"), "save a Functional or Sequential model")
        })
    }

    /// Where the first layer that says so expects the channels.
    pub(super) fn data_format(&self) -> Option<DataFormat> {
        self.entries.iter().find_map(|entry| match &entry.content {
            Content::Layer(layer) => layer.data_format(),
            Content::Model(model) => model.data_format(),
            Content::Input(_) => None,
        })
    }
}

/// The class of a serialised object.
fn class_name(object: &Map<String, Value>) -> Result<&str, NetworkError> {
    let class = object.get("class_name").and_then(Value::as_str);
    class.ok_or_else(|| damaged("the model description has an entry without a class_name"))
}

/// Parses a model; none when the class is no model.
fn nested(
    class: &str,
    object: &Map<String, Value>,
    generation: Generation,
    depth: usize,
) -> Result<Option<Model>, NetworkError> {
    if !matches!(class, "Sequential" | "Functional" | "Model") {
        return Ok(None);
    }
    if depth >= DEEPEST_NESTING {
        return Err(NetworkError::TooLarge {
            what: "the depth of models within models".to_owned(),
            found: depth as u64 + 1,
            limit: DEEPEST_NESTING as u64,
        });
    }
    let config = object.get("config").ok_or_else(|| damaged(format!("a {class} has no config")))?;
    // Sequential models of Keras 2.2 and before are a bare list of layers.
    let (name, layers) = match config {
        Value::Array(layers) => (None, layers),
        Value::Object(config) => {
            let layers = config.get("layers").and_then(Value::as_array);
            let layers = layers.ok_or_else(|| {
                unsupported(
                    format!("a {class} without a list of layers"),
                    "save a Functional or Sequential model",
                )
            })?;
            (config.get("name").and_then(Value::as_str), layers)
        }
        _ => return Err(damaged(format!("the config of a {class} is no object"))),
    };
    if layers.len() > MOST_LAYERS {
        return Err(NetworkError::TooLarge {
            what: "the count of layers".to_owned(),
            found: layers.len() as u64,
            limit: MOST_LAYERS as u64,
        });
    }
    let name = name.or_else(|| object.get("name").and_then(Value::as_str)).unwrap_or("model").to_owned();
    let entries =
        layers.iter().map(|layer| entry(layer, generation, depth)).collect::<Result<Vec<_>, _>>()?;
    match (class, config) {
        ("Sequential", _) => sequential(name, entries).map(Some),
        (_, Value::Object(config)) => functional(name, entries, layers, config).map(Some),
        _ => Err(damaged(format!("the config of a {class} is no object"))),
    }
}

/// Parses one layer without its calls.
fn entry(value: &Value, generation: Generation, depth: usize) -> Result<Entry, NetworkError> {
    let object = value.as_object().ok_or_else(|| damaged("a layer of the model description is no object"))?;
    let class = class_name(object)?;
    origin::check_layer(class, object)?;
    let empty = Map::new();
    let config = object.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let name = object.get("name").or_else(|| config.get("name")).and_then(Value::as_str).unwrap_or_default();
    let settings = Settings { layer: name, object: config };
    let content = if class == "InputLayer" {
        Content::Input(settings.input_shape()?)
    } else if let Some(model) = nested(class, object, generation, depth + 1)? {
        Content::Model(Box::new(model))
    } else if let Some(layer) = layer_parse::parse(class, settings, generation)? {
        Content::Layer(layer)
    } else {
        return Err(origin::unread(class, name, object));
    };
    let name = match (&content, name) {
        (Content::Model(model), "") => model.name.clone(),
        (_, "") => return Err(damaged(format!("a layer of class {:?} has no name", shortened(class)))),
        (_, name) => name.to_owned(),
    };
    Ok(Entry { name, class: class.to_owned(), config: config.clone(), content, calls: Vec::new() })
}

/// Index of each name; a name given twice is an error.
fn index(entries: &[Entry]) -> Result<HashMap<&str, usize>, NetworkError> {
    let mut index = HashMap::with_capacity(entries.len());
    for (position, entry) in entries.iter().enumerate() {
        if index.insert(entry.name.as_str(), position).is_some() {
            return Err(damaged(format!("two layers are called {:?}", shortened(&entry.name))));
        }
    }
    Ok(index)
}

/// Links a chain; a missing start is put in front.
fn sequential(name: String, mut entries: Vec<Entry>) -> Result<Model, NetworkError> {
    let Some(first) = entries.first() else {
        return Err(damaged(format!("the model {:?} has no layers", shortened(&name))));
    };
    if !matches!(first.content, Content::Input(_)) {
        let shape = start_shape(first)?;
        let input = Entry {
            name: format!("{}_input", first.name),
            class: "InputLayer".to_owned(),
            config: Map::new(),
            content: Content::Input(shape),
            calls: Vec::new(),
        };
        entries.insert(0, input);
    }
    for (position, entry) in entries.iter_mut().enumerate().skip(1) {
        if matches!(entry.content, Content::Input(_)) {
            return Err(damaged(format!("the model {:?} starts twice", shortened(&name))));
        }
        entry.calls = vec![vec![Endpoint { entry: position - 1, call: 0, output: 0 }]];
    }
    index(&entries)?;
    let inputs = vec![Endpoint { entry: 0, call: 0, output: 0 }];
    let outputs = vec![Endpoint { entry: entries.len() - 1, call: 0, output: 0 }];
    Ok(Model { name, style: Style::Sequential, entries, inputs, outputs })
}

/// The input shape a chain without a start takes from its first layer.
fn start_shape(first: &Entry) -> Result<Option<Vec<Option<usize>>>, NetworkError> {
    let settings = Settings { layer: &first.name, object: &first.config };
    if let Some(shape) = settings.input_shape()? {
        return Ok(Some(shape));
    }
    let Content::Model(model) = &first.content else {
        return Ok(None);
    };
    Ok(match model.inputs.as_slice() {
        [input] => match &model.entries[input.entry].content {
            Content::Input(shape) => shape.clone(),
            _ => None,
        },
        _ => None,
    })
}

/// Links a graph by the calls each layer lists.
fn functional(
    name: String,
    mut entries: Vec<Entry>,
    layers: &[Value],
    config: &Map<String, Value>,
) -> Result<Model, NetworkError> {
    let positions = index(&entries)?;
    let resolve = |call: &Call| -> Result<Endpoint, NetworkError> {
        let entry = positions.get(call.layer.as_str()).copied();
        let entry =
            entry.ok_or_else(|| damaged(format!("no layer is called {:?}", shortened(&call.layer))))?;
        Ok(Endpoint { entry, call: call.node, output: call.output })
    };
    let mut calls = Vec::with_capacity(entries.len());
    for (entry, layer) in entries.iter().zip(layers) {
        let listed = inbound_calls(&entry.name, layer)?;
        let listed = listed.iter().map(|inputs| inputs.iter().map(resolve).collect::<Result<Vec<_>, _>>());
        calls.push(listed.collect::<Result<Vec<_>, _>>()?);
    }
    let ends = |key: &str| -> Result<Vec<Endpoint>, NetworkError> {
        let ends = config.get(key).and_then(endpoints).filter(|ends| !ends.is_empty());
        let ends =
            ends.ok_or_else(|| damaged(format!("the model {:?} has no readable {key}", shortened(&name))))?;
        ends.iter().map(resolve).collect()
    };
    let (inputs, outputs) = (ends("input_layers")?, ends("output_layers")?);
    for (entry, calls) in entries.iter_mut().zip(calls) {
        entry.calls = calls;
    }
    for input in &inputs {
        let entry = &entries[input.entry];
        if !matches!(entry.content, Content::Input(_)) {
            return Err(damaged(format!("the input layer {:?} is no InputLayer", shortened(&entry.name))));
        }
    }
    Ok(Model { name, style: Style::Functional, entries, inputs, outputs })
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
