//! Which tensors a layer of a `Functional` model is called with, in the spellings of Keras 2 and Keras 3.

use serde_json::{Map, Value};

use super::fault::{damaged, shortened, unsupported};
use super::layer_parse;
use super::settings::items;
use crate::NetworkError;

/// The most calls of one layer, and the most tensors of one call.
const MOST: usize = 1_000;

/// One output of one call of a layer, by the layer's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The layer.
    pub(super) layer: String,
    /// Which of the layer's calls, from 0.
    pub(super) node: usize,
    /// Which output of the call, from 0.
    pub(super) output: usize,
}

/// Reads `["name", 0, 0]`; what follows the third element is not looked at.
fn triple(value: &Value) -> Option<Call> {
    let [layer, node, output, ..] = items(value)? else {
        return None;
    };
    let number = |value: &Value| value.as_u64().map(|number| number as usize).filter(|number| *number < MOST);
    Some(Call { layer: layer.as_str()?.to_owned(), node: number(node)?, output: number(output)? })
}

/// Reads the ends of a model: `[["a", 0, 0], ...]`, or `["a", 0, 0]` for one.
pub(super) fn endpoints(value: &Value) -> Option<Vec<Call>> {
    if let Some(one) = triple(value) {
        return Some(vec![one]);
    }
    items(value)?.iter().take(MOST).map(triple).collect()
}

/// The layer whose calls are read.
#[derive(Debug, Clone, Copy)]
struct Callee<'a> {
    name: &'a str,
    /// Whether it varies the pictures of a training: Keras 3 notes `training: true` at each of its calls, and
    /// still leaves the pictures alone when the network answers.
    augments: bool,
}

/// Reads the inputs of each call of a layer.
pub(super) fn inbound_calls(name: &str, layer: &Value) -> Result<Vec<Vec<Call>>, NetworkError> {
    let callee = Callee { name, augments: layer_parse::augments(layer) };
    let wrong = || damaged(format!("the inbound_nodes of layer {:?} cannot be read", shortened(name)));
    let nodes = match layer.get("inbound_nodes") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(nodes) => items(nodes).filter(|nodes| nodes.len() <= MOST).ok_or_else(wrong)?,
    };
    nodes
        .iter()
        .map(|node| {
            let calls = match node {
                Value::Object(object) if object.contains_key("args") => keras_3(callee, object)?,
                _ => keras_2(callee, node)?,
            };
            calls.filter(|calls| !calls.is_empty() && calls.len() <= MOST).ok_or_else(wrong)
        })
        .collect()
}

/// `[["conv", 0, 0, {}], ...]`, or `["conv", 0, 0, {}]` for one tensor.
fn keras_2(callee: Callee<'_>, node: &Value) -> Result<Option<Vec<Call>>, NetworkError> {
    let Some(tensors) = items(node) else {
        return Ok(None);
    };
    let single = triple(node).is_some();
    let tensors = if single { std::slice::from_ref(node) } else { tensors };
    for tensor in tensors {
        if let Some(Value::Object(arguments)) = items(tensor).and_then(|tensor| tensor.get(3)) {
            check_arguments(callee, arguments)?;
        }
    }
    Ok(tensors.iter().map(triple).collect())
}

/// `{"args": [TENSOR or [TENSOR, ...]], "kwargs": {...}}` with `TENSOR.config.keras_history`.
fn keras_3(callee: Callee<'_>, node: &Map<String, Value>) -> Result<Option<Vec<Call>>, NetworkError> {
    if let Some(Value::Object(arguments)) = node.get("kwargs") {
        check_arguments(callee, arguments)?;
    }
    let tensor = |value: &Value| triple(value.get("config")?.get("keras_history")?);
    let mut calls = Vec::new();
    for argument in node.get("args").and_then(items).unwrap_or_default() {
        let tensors = items(argument).unwrap_or(std::slice::from_ref(argument));
        for value in tensors {
            match tensor(value) {
                Some(call) => calls.push(call),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(calls))
}

/// Refuses call arguments that would change what the layer computes.
fn check_arguments(callee: Callee<'_>, arguments: &Map<String, Value>) -> Result<(), NetworkError> {
    for (key, value) in arguments {
        let training = key == "training" && value.is_boolean();
        let harmless = value.is_null() || training && (callee.augments || value == &Value::Bool(false));
        if !harmless {
            let what = format!("call argument {:?} of layer {:?}", shortened(key), shortened(callee.name));
            return Err(unsupported(what, "call the layer with its input alone"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(layer: &str, node: usize) -> Call {
        Call { layer: layer.to_owned(), node, output: 0 }
    }

    #[test]
    fn both_generations_are_read() {
        let old = json!({"inbound_nodes": [[["a", 0, 0, {}], ["b", 1, 0, {"training": false}]]]});
        assert_eq!(inbound_calls("l", &old).unwrap(), [[call("a", 0), call("b", 1)]]);
        let flat = json!({"inbound_nodes": [["a", 0, 0, {}]]});
        assert_eq!(inbound_calls("l", &flat).unwrap(), [[call("a", 0)]]);
        let tensor =
            |name: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
        let new = json!({"inbound_nodes": [
            {"args": [[tensor("a"), tensor("b")]], "kwargs": {"mask": null}},
            {"args": [tensor("c")], "kwargs": {}},
        ]});
        assert_eq!(inbound_calls("l", &new).unwrap(), [vec![call("a", 0), call("b", 0)], vec![call("c", 0)]]);
        assert!(inbound_calls("l", &json!({})).unwrap().is_empty());
    }

    #[test]
    fn ends_come_nested_or_flat() {
        assert_eq!(endpoints(&json!(["a", 0, 0])).unwrap(), [call("a", 0)]);
        assert_eq!(endpoints(&json!([["a", 0, 0], ["b", 2, 0]])).unwrap(), [call("a", 0), call("b", 2)]);
        assert_eq!(endpoints(&json!([["a", 0]])), None);
        assert_eq!(endpoints(&json!({"a": 0})), None);
    }

    #[test]
    fn arguments_that_matter_are_not_overlooked() {
        let node = json!({"inbound_nodes": [[["a", 0, 0, {"training": true}]]]});
        let error = inbound_calls("drop", &node).unwrap_err();
        assert!(matches!(error, NetworkError::Unsupported { .. }));
        assert!(error.to_string().contains("\"training\" of layer \"drop\""), "{error}");
        let flip = json!({"class_name": "RandomFlip", "inbound_nodes": [[["a", 0, 0, {"training": true}]]]});
        assert_eq!(inbound_calls("flip", &flip).unwrap(), [[call("a", 0)]]);
    }

    #[test]
    fn nonsense_is_damage() {
        for nodes in [json!(3), json!([3]), json!([[]]), json!([{"args": []}]), json!([[["a", -1, 0]]])] {
            let error = inbound_calls("l", &json!({ "inbound_nodes": nodes })).unwrap_err();
            assert!(matches!(error, NetworkError::Damaged { .. }), "{error}");
        }
    }
}
