//! The part of JSON Schema that the report's schema uses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::Value;

/// Checks a value against a schema of the document `root`; tells the first breach.
pub(crate) fn check(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let rules = schema.as_object().ok_or("a schema is an object")?;
    for (rule, demand) in rules {
        let kept = match rule.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = demand.as_str().unwrap().trim_start_matches('#');
                check(root, root.pointer(pointer).ok_or("no such definition")?, value, place)?;
                true
            }
            "anyOf" => demand.as_array().unwrap().iter().any(|one| check(root, one, value, place).is_ok()),
            "const" => demand == value,
            "enum" => demand.as_array().unwrap().contains(value),
            "type" => match demand {
                Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind)),
                kind => is(value, kind),
            },
            "minimum" => value.as_f64().is_none_or(|number| number >= demand.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= demand.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= demand.as_u64().unwrap()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, demand, item, &format!("{place}/{index}"))?;
                }
                true
            }
            "required" => {
                let keys = demand.as_array().unwrap();
                value
                    .as_object()
                    .is_none_or(|map| keys.iter().all(|key| map.contains_key(key.as_str().unwrap())))
            }
            "properties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = demand.get(key) {
                        check(root, schema, inner, &format!("{place}/{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    if schema["properties"].get(key).is_some() {
                        continue;
                    }
                    match demand {
                        Value::Bool(false) => return Err(format!("{place} has no room for {key}")),
                        demand => check(root, demand, inner, &format!("{place}/{key}"))?,
                    }
                }
                true
            }
            other => return Err(format!("the check does not know the rule {other}")),
        };
        if !kept {
            return Err(format!("{place} breaks {rule}: {demand}"));
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}
