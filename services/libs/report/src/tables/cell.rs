//! A table as data.

use crate::record::Estimate;

/// A table with a caption.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// The file name without its ending.
    pub(crate) name: &'static str,
    /// The heading.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) note: String,
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows, each with one cell a column.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// The heading for people.
    pub(crate) head: &'static str,
    /// The heading for programs, in camelCase.
    pub(crate) key: &'static str,
    /// What the cells hold.
    pub(crate) kind: Kind,
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One value.
    Plain,
    /// A rate with its interval.
    Rate,
    /// A rate with its interval for every triggered set.
    RateBySet,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// A text.
    Text(String),
    /// A count.
    Count(u64),
    /// A number.
    Number(f64),
    /// A nominal rate, 0..1.
    Level(f64),
    /// A mean and half the width of its interval.
    Mean(f64, Option<f64>),
    /// A rate with its interval.
    Rate(Estimate),
    /// An area under a curve, 0..1, with its interval.
    Area(Estimate),
    /// A rate for every triggered set.
    BySet(Vec<(String, Option<Estimate>)>),
    /// Nothing, and why; empty where that is plain.
    Missing(String),
}

impl Cell {
    /// The rate, or nothing.
    pub(crate) fn rate(estimate: Option<Estimate>) -> Self {
        estimate.map_or_else(Self::missing, Self::Rate)
    }

    /// The number, or nothing.
    pub(crate) fn number(value: Option<f64>) -> Self {
        value.map_or_else(Self::missing, Self::Number)
    }

    /// Nothing, plainly.
    pub(crate) const fn missing() -> Self {
        Self::Missing(String::new())
    }
}

impl Column {
    /// A column of single values.
    pub(crate) const fn plain(head: &'static str, key: &'static str) -> Self {
        Self { head, key, kind: Kind::Plain }
    }

    /// A column of rates.
    pub(crate) const fn rate(head: &'static str, key: &'static str) -> Self {
        Self { head, key, kind: Kind::Rate }
    }

    /// A column of rates for every triggered set.
    pub(crate) const fn by_set(head: &'static str, key: &'static str) -> Self {
        Self { head, key, kind: Kind::RateBySet }
    }
}
