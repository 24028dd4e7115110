//! Reports on evaluations, for people and for programs.
//!
//! [`write()`] makes a folder of what an evaluation measured:
//!
//! | file | holds |
//! |---|---|
//! | `report.html` | one page with everything, without scripts and without anything from elsewhere |
//! | `report.json`, `report.schema.json` | the same for programs, and its JSON Schema |
//! | `tables/*.csv` | the tables, the scores of every image, the operating points, the passes |
//! | `figures/*.svg`, `figures/*.png` | the figures |
//!
//! The same report gives the same bytes, on every machine: times come from the caller and letters from the
//! program itself. Several reports become one by [`read`], [`Record::merge`] and [`write_record`].
//!
//! The report of a repair has its own record, page and figures: [`repair`].

mod csv;
mod detectors;
mod error;
mod figures;
mod folder;
mod format;
mod html;
mod json;
mod names;
mod picture;
pub mod record;
pub mod repair;
mod statistics;
mod tables;

use std::path::Path;

use gifthorse_api::v1;

pub use error::ReportError;
pub use folder::Written;
pub use record::{Record, SCHEMA, read};

use crate::folder::Writer;
use crate::names::FileNames;

/// What a report shall show.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The title.
    pub title: String,
    /// What was measured, one network and setting each.
    pub evaluations: Vec<v1::Evaluation>,
    /// When it was made, as it shall stand in the report.
    pub made_at: String,
    /// The command that measured it; empty for none.
    pub command: String,
}

/// Writes a report into a folder, which is made if it is missing.
///
/// Files of the same name are replaced, others are left alone. The page is written last: where it is there,
/// everything is.
pub fn write(folder: &Path, report: &Report) -> Result<Written, ReportError> {
    let (title, made_at, command) = (report.title.clone(), report.made_at.clone(), report.command.clone());
    write_record(folder, &Record::new(title, made_at, command, &report.evaluations)?)
}

/// Writes a report that is already data: read back, or merged of several.
pub fn write_record(folder: &Path, record: &Record) -> Result<Written, ReportError> {
    if record.evaluations.is_empty() {
        return Err(ReportError::Empty);
    }
    // All is drawn before the first file is written: what cannot be drawn leaves no half report.
    let mut names = FileNames::default();
    let figures = record
        .evaluations
        .iter()
        .map(|evaluation| figures::of_evaluation(evaluation, &mut names))
        .collect::<Result<Vec<_>, _>>()?;
    let json = record.to_json(&folder.join("report.json"))?;

    let mut writer = Writer::new(folder);
    for figure in figures.iter().flatten() {
        writer.write(&format!("figures/{}.svg", figure.name), figure.svg.as_bytes())?;
        writer.write(&format!("figures/{}.png", figure.name), &figure.png)?;
    }
    for table in tables::for_files(record) {
        writer.write(&format!("tables/{}.csv", table.name), csv::of_table(&table).as_bytes())?;
    }
    writer.write("tables/scores.csv", csv::scores(record).as_bytes())?;
    writer.write("tables/operating-curve.csv", csv::operating_curve(record).as_bytes())?;
    writer.write("tables/passes.csv", csv::passes(record).as_bytes())?;
    writer.write("report.schema.json", SCHEMA.as_bytes())?;
    writer.write("report.json", json.as_bytes())?;
    writer.finish(&html::page(record, &figures))
}
