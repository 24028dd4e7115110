//! How large a record may be: what is written can always be read again.

use serde_json::Value;

use crate::error::{Result, StoreError};

/// The largest stored document, in bytes: far above any real one, far below what hurts.
pub(crate) const MAX_RECORD: u64 = 16 << 20;

/// Refuses to store a document of `size` bytes that no reader would take. `text` is the JSON of its record,
/// from which the error names the part to shorten.
pub(crate) fn check(size: usize, text: &str) -> Result<()> {
    let size = size as u64;
    if size <= MAX_RECORD {
        return Ok(());
    }
    let value = serde_json::from_str(text)
        .map_err(|error| StoreError::Internal { what: format!("measuring a record: {error}") })?;
    Err(StoreError::RecordTooLarge { size, limit: MAX_RECORD, part: heaviest(&value) })
}

/// The path (`specification.layers`) of the innermost field that alone takes more than half of the record.
fn heaviest(record: &Value) -> String {
    let whole = weight(record);
    let (mut path, mut part) = (Vec::new(), record);
    while let Value::Object(fields) = part
        && let Some((name, field)) = fields.iter().max_by_key(|(_, field)| weight(field))
        && weight(field) > whole / 2
    {
        path.push(name.as_str());
        part = field;
    }
    if path.is_empty() { "its longest fields".to_owned() } else { path.join(".") }
}

/// Bytes of the value as compact JSON, nearly: escapes are not counted.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| weight(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(name, field)| name.len() + 4 + weight(field)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_limit_is_still_allowed() {
        let limit = usize::try_from(MAX_RECORD).unwrap();
        check(limit, "{}").unwrap();
        assert!(matches!(check(limit + 1, "{}"), Err(StoreError::RecordTooLarge { size: 16_777_217, .. })));
    }

    #[test]
    fn the_heaviest_part_is_named() {
        let long = "x".repeat(1000);
        let cases = [
            (
                json!({ "model": "lab3", "specification": { "layers": [long, long], "count": 1 } }),
                "specification.layers",
            ),
            (json!({ "model": "lab3", "specification": { "one": long, "two": long } }), "specification"),
            (json!({ "one": long, "two": long }), "its longest fields"),
            (json!([]), "its longest fields"),
        ];
        for (record, expected) in cases {
            assert_eq!(heaviest(&record), expected);
        }
    }
}
