//! Records as JSON files.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ReportError;

/// The most bytes a `report.json` may have: some 20 million numbers.
const LIMIT: u64 = 1 << 29;

/// Only what every form of `report.json` has.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: u64,
}

/// Reads a record back whose form has this version.
pub(crate) fn read<R: DeserializeOwned>(path: &Path, known: u64) -> Result<R, ReportError> {
    let bytes = fs::metadata(path).map_err(ReportError::file(path))?.len();
    if bytes > LIMIT {
        return Err(ReportError::TooLarge { path: path.to_owned(), bytes, limit: LIMIT });
    }
    let text = fs::read(path).map_err(ReportError::file(path))?;
    let damaged = |source| ReportError::Record { path: path.to_owned(), source };
    let Head { schema_version: found } = serde_json::from_slice(&text).map_err(damaged)?;
    if found != known {
        return Err(ReportError::SchemaVersion { path: path.to_owned(), found, known });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// The text of a record's file.
pub(crate) fn text(record: &impl Serialize, path: &Path) -> Result<String, ReportError> {
    serde_json::to_string_pretty(record)
        .map(|text| text + "\n")
        .map_err(|source| ReportError::Record { path: path.to_owned(), source })
}
