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

mod csv;
mod detectors;
mod error;
mod figures;
mod format;
mod html;
mod names;
mod picture;
pub mod record;
pub mod repair;
mod statistics;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use gifthorse_api::v1;

pub use error::ReportError;
pub use record::{Record, SCHEMA, read};

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

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Every file, the page among them, in the order of writing.
    pub files: Vec<PathBuf>,
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

    let mut writer = Writer { folder, files: Vec::new() };
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
    let page = writer.write("report.html", html::page(record, &figures).as_bytes())?;
    Ok(Written { page, files: writer.files })
}

/// Writes files into a folder and remembers them.
struct Writer<'a> {
    folder: &'a Path,
    files: Vec<PathBuf>,
}

impl Writer<'_> {
    fn write(&mut self, name: &str, content: &[u8]) -> Result<PathBuf, ReportError> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ReportError::file(folder))?;
        }
        fs::write(&path, content).map_err(ReportError::file(&path))?;
        self.files.push(path.clone());
        Ok(path)
    }
}
