//! The tables of the report, once as data, shown as HTML and as CSV.

mod cell;
mod detectors;
mod networks;
mod summary;
mod thresholds;

pub(crate) use cell::{Cell, Column, Kind, Table};

use crate::record::{EvaluationRecord, Record};

/// The tables on all evaluations of a report.
pub(crate) fn of_report(record: &Record) -> Vec<Table> {
    vec![
        summary::clean(&record.evaluations),
        summary::triggered(&record.evaluations),
        networks::table(&record.evaluations),
    ]
}

/// The tables on one evaluation.
pub(crate) fn of_evaluation(evaluation: &EvaluationRecord) -> Vec<Table> {
    let one = std::slice::from_ref(evaluation);
    vec![thresholds::table(one), detectors::table(one)]
}

/// The tables as files: those on single evaluations are put together.
pub(crate) fn for_files(record: &Record) -> Vec<Table> {
    let mut tables = of_report(record);
    tables.push(thresholds::table(&record.evaluations));
    tables.push(detectors::table(&record.evaluations));
    tables
}
