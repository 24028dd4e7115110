//! Records as they are stored: JSON under a seal.
//!
//! A stored document is `{"format": 1, "sha256": "...", "record": {...}}`. The seal is the SHA-256 of the
//! text of `record`, so that an edit by hand is noticed even where it still makes sense. It guards against
//! accidents and careless hands, not against someone who writes a new seal.

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::digest::Sha256Digest;
use crate::error::{Result, StoreError};
use crate::record_size;

/// A record that is stored as a document of its own.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// Number of the record's form; raised when older releases could no longer read it.
    const FORMAT: u32;

    /// What the types alone do not rule out; checked before a record is written and after it is read.
    ///
    /// The error says which rule is broken.
    fn check(&self) -> std::result::Result<(), String>;
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: u32,
    sha256: Sha256Digest,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Only the first field, which tells whether this release knows the others.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The bytes under which the record is stored. The same record always gives the same bytes.
///
/// Refuses a record that breaks its own rules, and one that readers would find too large.
pub(crate) fn seal<T: Record>(record: &T) -> Result<Bytes> {
    record.check().map_err(|reason| StoreError::RecordRefused { reason })?;
    let broken =
        |error: serde_json::Error| StoreError::Internal { what: format!("sealing a record: {error}") };
    let text = serde_json::to_string_pretty(record).map_err(broken)?;
    let sha256 = Sha256Digest::of(text.as_bytes());
    let record = RawValue::from_string(text).map_err(broken)?;
    let mut bytes = serde_json::to_vec_pretty(&Envelope { format: T::FORMAT, sha256, record: &record })
        .map_err(broken)?;
    bytes.push(b'\n');
    record_size::check(bytes.len(), record.get())?;
    Ok(bytes.into())
}

/// The record that was sealed into these bytes.
pub(crate) fn unseal<T: Record>(path: &ObjectPath, bytes: &[u8]) -> Result<T> {
    let invalid = |reason: String| StoreError::RecordInvalid { path: path.to_string(), reason };
    let format: Format = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    if format.format != T::FORMAT {
        return Err(invalid(format!(
            "it has format {}, this release reads format {}: use the release that wrote it, or a newer one",
            format.format,
            T::FORMAT
        )));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    let text = envelope.record.get();
    let found = Sha256Digest::of(text.as_bytes());
    if found != envelope.sha256 {
        return Err(invalid(format!(
            "it was changed after it was written: its seal is {}, its text has {found}",
            envelope.sha256
        )));
    }
    let record: T = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    record.check().map_err(invalid)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        scale: f64,
    }

    impl Record for Sample {
        const FORMAT: u32 = 1;

        fn check(&self) -> std::result::Result<(), String> {
            if self.scale > 0.0 { Ok(()) } else { Err("scale must be positive".to_owned()) }
        }
    }

    fn unsealed(text: &str) -> Result<Sample> {
        unseal(&ObjectPath::from("sample.json"), text.as_bytes())
    }

    #[test]
    fn edits_break_the_seal() {
        let bytes = seal(&Sample { scale: 255.0 }).unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(unsealed(text).unwrap(), Sample { scale: 255.0 });
        let changes = [
            (text.replace("255.0", "1.0"), "changed after"),
            (text.replace("\"format\": 1", "\"format\": 2"), "format 2"),
            (text.replace("\"format\": 1,", "\"format\": 1, \"more\": 1,"), "unknown field"),
            (text[..text.len() / 2].to_owned(), "EOF"),
            (String::new(), "EOF"),
        ];
        for (changed, expected) in changes {
            let message = unsealed(&changed).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} must speak of {expected:?}");
        }
    }

    #[test]
    fn contradictions_are_never_written() {
        assert!(matches!(seal(&Sample { scale: -1.0 }), Err(StoreError::RecordRefused { .. })));
    }
}
