//! The report of a repair by fine-pruning.
//!
//! [`write()`] makes a flat folder of what a repair did and measured:
//!
//! | file | holds |
//! |---|---|
//! | `report.html` | one page with everything, without scripts and without anything from elsewhere |
//! | `report.json`, `report.schema.json` | the same for programs, and its JSON Schema |
//! | `networks.csv`, `attacks.csv` | the networks side by side, on clean and on triggered images |
//! | `curve.csv`, `channels.csv`, `training.csv` | every step, every channel, every epoch |
//! | `synthetic-triggers.csv`, `published.csv` | where there are any |
//! | `activation-maps-*`, `prune-curve`, `training-curves`, as `.svg` and `.png` | the figures, as far as they were measured |
//!
//! The same record gives the same bytes, on every machine.

mod check;
mod csv;
mod figures;
mod file;
mod page;
mod record;
mod tables;
mod words;

use std::path::Path;

pub use file::{SCHEMA, read};
pub use gifthorse_defence::pruning::GateAnswer;
pub use record::*;

use crate::csv::of_table;
use crate::error::ReportError;
use crate::folder::{Writer, Written};
use crate::json;
use crate::repair::figures::Figures;

/// Writes the report of a repair into a folder, which is made if it is missing.
///
/// Files of the same name are replaced, others are left alone. The page is written last: where it is there,
/// everything is. Fails, and leaves nothing, on numbers that are not finite and on parts that contradict each
/// other.
pub fn write(folder: &Path, record: &RepairRecord) -> Result<Written, ReportError> {
    check::check(record)?;
    let figures = Figures::of(record)?;
    let json = json::text(record, &folder.join("report.json"))?;

    let mut writer = Writer::new(folder);
    for figure in figures.all() {
        writer.write(&format!("{}.svg", figure.name), figure.svg.as_bytes())?;
        writer.write(&format!("{}.png", figure.name), &figure.png)?;
    }
    writer.write("networks.csv", csv::networks(record).as_bytes())?;
    writer.write("attacks.csv", csv::attacks(record).as_bytes())?;
    writer.write("curve.csv", csv::curve(record).as_bytes())?;
    writer.write("channels.csv", csv::channels(record).as_bytes())?;
    writer.write("training.csv", csv::training(record).as_bytes())?;
    for table in [tables::synthetic(record), tables::published(record)] {
        if !table.rows.is_empty() {
            writer.write(&format!("{}.csv", table.name), of_table(&table).as_bytes())?;
        }
    }
    writer.write("report.schema.json", SCHEMA.as_bytes())?;
    writer.write("report.json", json.as_bytes())?;
    writer.finish(&page::page(record, &figures))
}
