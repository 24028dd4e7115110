//! `report.json` and its schema.

use std::path::Path;

use crate::error::ReportError;
use crate::json;
use crate::record::{Record, SCHEMA_VERSION};

/// JSON Schema (draft 2020-12) of `report.json`.
pub const SCHEMA: &str = include_str!("report.schema.json");

/// Reads a `report.json` back.
pub fn read(path: &Path) -> Result<Record, ReportError> {
    json::read(path, SCHEMA_VERSION)
}

impl Record {
    /// The text of `report.json`.
    pub(crate) fn to_json(&self, path: &Path) -> Result<String, ReportError> {
        json::text(self, path)
    }
}
