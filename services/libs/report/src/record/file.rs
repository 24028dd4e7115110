//! `report.json` and its schema.

use std::fs;
use std::path::Path;

use crate::error::ReportError;
use crate::record::{Record, SCHEMA_VERSION};

/// JSON Schema (draft 2020-12) of `report.json`.
pub const SCHEMA: &str = include_str!("report.schema.json");

/// The most bytes a `report.json` may have: some 20 million scores.
const LIMIT: u64 = 1 << 29;

/// Only what every form of `report.json` has.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: u64,
}

/// Reads a `report.json` back.
pub fn read(path: &Path) -> Result<Record, ReportError> {
    let bytes = fs::metadata(path).map_err(ReportError::file(path))?.len();
    if bytes > LIMIT {
        return Err(ReportError::TooLarge { path: path.to_owned(), bytes, limit: LIMIT });
    }
    let text = fs::read(path).map_err(ReportError::file(path))?;
    let damaged = |source| ReportError::Record { path: path.to_owned(), source };
    let Head { schema_version: found } = serde_json::from_slice(&text).map_err(damaged)?;
    if found != SCHEMA_VERSION {
        return Err(ReportError::SchemaVersion { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

impl Record {
    /// The text of `report.json`.
    pub(crate) fn to_json(&self, path: &Path) -> Result<String, ReportError> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|source| ReportError::Record { path: path.to_owned(), source })
    }
}
