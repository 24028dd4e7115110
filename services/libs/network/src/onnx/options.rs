//! What a caller can say about a file that the file does not say itself.

use super::Limits;
use crate::Layout;
use crate::description::LayerSummary;
use crate::description::SourceKind;

/// Rows and columns of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

/// Options of an import.
#[derive(Debug, Clone, Default)]
pub struct OnnxOptions {
    /// Order of the input's axes; needed only where the shape leaves it open.
    pub layout: Option<Layout>,
    /// Size of the images; needed only where the file leaves it free.
    pub input_size: Option<InputSize>,
    /// How large the file may be.
    pub limits: Limits,
}

/// Where a network comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The kind of file.
    pub source: SourceKind,
    /// Program and version that wrote it; empty when unknown.
    pub producer: String,
    /// The layers as the source names them; none takes the nodes of the graph.
    pub layers: Option<Vec<LayerSummary>>,
}
