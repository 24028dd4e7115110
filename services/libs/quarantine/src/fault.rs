//! A coded error that crossed the border between two processes.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

/// The most different fact keys, and the longest, that faults may teach a parent process.
///
/// [`Coded::facts`] has keys that live for ever, while a reader's keys arrive as text; each new one is kept
/// once. The bound keeps a reader gone wild from filling the parent's memory.
const MAX_KEYS: usize = 256;
const MAX_KEY_BYTES: usize = 64;

static KEYS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A [`Coded`] error as text: code, message, field and facts are those of the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RemoteFault {
    code: ErrorCode,
    message: String,
    field: Option<String>,
    facts: Vec<(String, String)>,
}

impl RemoteFault {
    /// The fault that carries `error` across.
    pub fn of(error: &dyn Coded) -> Self {
        let facts = error.facts().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { code: error.code(), message: error.to_string(), field: error.field(), facts }
    }

    /// A fault without field and facts.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, facts: Vec::new() }
    }
}

impl Coded for RemoteFault {
    fn code(&self) -> ErrorCode {
        self.code
    }

    fn field(&self) -> Option<String> {
        self.field.clone()
    }

    /// The original's facts; those whose key is over 64 bytes, or past the 256th different key of this
    /// process, are left out.
    fn facts(&self) -> Vec<(&'static str, String)> {
        self.facts.iter().filter_map(|(key, value)| Some((lasting(key)?, value.clone()))).collect()
    }
}

fn lasting(key: &str) -> Option<&'static str> {
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = keys.get(key) {
        return Some(known);
    }
    if keys.len() >= MAX_KEYS || key.len() > MAX_KEY_BYTES {
        return None;
    }
    let kept: &'static str = Box::leak(key.to_owned().into_boxed_str());
    keys.insert(kept);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("expected {expected} rows")]
    struct RowsMissing {
        expected: u64,
    }

    impl Coded for RowsMissing {
        fn code(&self) -> ErrorCode {
            ErrorCode::DatasetInvalid
        }

        fn field(&self) -> Option<String> {
            Some("source.rows".to_owned())
        }

        fn facts(&self) -> Vec<(&'static str, String)> {
            vec![("rowsExpected", self.expected.to_string())]
        }
    }

    #[test]
    fn a_fault_survives_the_border_whole() {
        let original = RowsMissing { expected: 7 };
        let json = serde_json::to_string(&RemoteFault::of(&original)).unwrap();
        let rebuilt: RemoteFault = serde_json::from_str(&json).unwrap();
        assert_eq!(rebuilt.to_string(), original.to_string());
        assert_eq!(rebuilt.code(), original.code());
        assert_eq!(rebuilt.field(), original.field());
        assert_eq!(rebuilt.facts(), original.facts());
    }

    #[test]
    fn keys_are_kept_once_and_bounded_in_length() {
        let first = lasting("keptOnce").unwrap();
        assert!(std::ptr::eq(first, lasting("keptOnce").unwrap()));
        assert_eq!(lasting(&"k".repeat(MAX_KEY_BYTES + 1)), None);
    }
}
