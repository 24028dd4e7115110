//! The figures, each drawn once for two formats: SVG for the page and PNG for documents.

pub(crate) mod curves;
mod grid;
mod heat;
pub(crate) mod heat_maps;
mod histogram;
mod pictures;
mod plan;
pub(crate) mod render;
pub(crate) mod stacked;
pub(crate) mod style;
pub(crate) mod ticks;

pub(crate) use plan::of_evaluation;

/// A figure that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    /// The file name without its ending.
    pub(crate) name: String,
    /// What it shows, in one line.
    pub(crate) title: String,
    /// How to read it: what was measured, on how many images, with which intervals.
    pub(crate) caption: String,
    /// The SVG document.
    pub(crate) svg: String,
    /// The PNG file.
    pub(crate) png: Vec<u8>,
}
