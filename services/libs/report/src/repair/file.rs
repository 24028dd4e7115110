//! A repair's `report.json` and its schema.

use std::path::Path;

use crate::error::ReportError;
use crate::json;
use crate::repair::{RepairRecord, SCHEMA_VERSION, check};

/// JSON Schema (draft 2020-12) of a repair's `report.json`.
pub const SCHEMA: &str = include_str!("repair.schema.json");

/// Reads the `report.json` of a repair back, and checks that it fits together.
pub fn read(path: &Path) -> Result<RepairRecord, ReportError> {
    let record = json::read(path, SCHEMA_VERSION)?;
    check::check(&record)?;
    Ok(record)
}
