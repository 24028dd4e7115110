//! Running through a model's layers in an order in which each finds its inputs ready.

use std::collections::HashMap;

use super::super::fault::{damaged, shortened};
use super::super::model::{Content, Endpoint, Entry, Model};
use super::{Converter, Site, Value};
use crate::NetworkError;
use crate::description::LayerSummary;

/// The most calls of layers, those within repeated models counted each time.
const MOST_CALLS: usize = 20_000;

impl Converter<'_> {
    /// Adds the nodes of a whole model and answers its outputs.
    ///
    /// `prefix` is the path of the model itself, empty for the outermost.
    pub(in super::super) fn model(
        &mut self,
        model: &Model,
        prefix: &str,
        inputs: &[Value],
    ) -> Result<Vec<Value>, NetworkError> {
        if inputs.len() != model.inputs.len() {
            return Err(damaged(format!(
                "the model {:?} has {} inputs and is called with {}",
                shortened(&model.name),
                model.inputs.len(),
                inputs.len()
            )));
        }
        let mut ready: HashMap<Endpoint, Value> = HashMap::new();
        for (endpoint, value) in model.inputs.iter().zip(inputs) {
            self.summarise_input(prefix, &model.entries[endpoint.entry], value);
            ready.insert(*endpoint, value.clone());
        }
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        for (index, entry) in model.entries.iter().enumerate() {
            waiting.extend((0..entry.calls.len()).map(|call| (index, call)));
        }
        // Descriptions list layers in an order in which they can run, so one pass is the rule.
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut left = Vec::new();
            for (index, call) in waiting {
                let entry = &model.entries[index];
                let inputs: Option<Vec<Value>> =
                    entry.calls[call].iter().map(|endpoint| ready.get(endpoint).cloned()).collect();
                let Some(inputs) = inputs else {
                    left.push((index, call));
                    continue;
                };
                for (output, value) in self.call(entry, prefix, &inputs)?.into_iter().enumerate() {
                    ready.insert(Endpoint { entry: index, call, output }, value);
                }
            }
            if left.len() == before {
                let (stuck, _) = left[0];
                let name = shortened(&model.entries[stuck].name);
                return Err(damaged(format!("layer {name:?} waits for an input that never comes")));
            }
            waiting = left;
        }
        let outputs = model.outputs.iter().map(|endpoint| {
            let name = shortened(&model.entries[endpoint.entry].name);
            ready
                .get(endpoint)
                .cloned()
                .ok_or_else(|| damaged(format!("output layer {name:?} is never called")))
        });
        outputs.collect()
    }

    /// Adds the nodes of one call of a layer or model.
    fn call(&mut self, entry: &Entry, prefix: &str, inputs: &[Value]) -> Result<Vec<Value>, NetworkError> {
        self.steps += 1;
        if self.steps > MOST_CALLS {
            return Err(NetworkError::TooLarge {
                what: "the count of layer calls".to_owned(),
                found: self.steps as u64,
                limit: MOST_CALLS as u64,
            });
        }
        let path = join(prefix, &entry.name);
        let layer = match &entry.content {
            Content::Layer(layer) => layer,
            Content::Model(model) => return self.model(model, &path, inputs),
            Content::Input(_) => {
                return Err(damaged(format!("the start {:?} is called with an input", shortened(&path))));
            }
        };
        let calls = self.calls.entry(path.clone()).or_default();
        *calls += 1;
        let first = *calls == 1;
        let tensor = if first { path.clone() } else { format!("{path}/call_{calls}") };
        let before = self.parameter_count();
        let output = self.layer(&Site { path: path.clone(), tensor }, layer, inputs)?;
        if first {
            self.layers.push(LayerSummary {
                name: path,
                kind: entry.class.clone(),
                output_shape: output.shape.iter().map(|size| *size as u64).collect(),
                parameters: (self.parameter_count() - before) as u64,
                tensor: output.tensor.clone(),
            });
        }
        Ok(vec![output])
    }

    /// Lists the start of the outermost model among the layers.
    fn summarise_input(&mut self, prefix: &str, entry: &Entry, value: &Value) {
        if prefix.is_empty() {
            self.layers.push(LayerSummary {
                name: entry.name.clone(),
                kind: entry.class.clone(),
                output_shape: value.shape.iter().map(|size| *size as u64).collect(),
                parameters: 0,
                tensor: value.tensor.clone(),
            });
        }
    }
}

/// A name below a path.
fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}
