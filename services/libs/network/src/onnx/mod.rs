//! Models in the ONNX format: reading, checking, building and editing them.

pub mod attribute;
pub mod build;
mod census;
pub(crate) mod check;
mod classifier;
mod decode;
mod fields;
mod foreign;
pub mod initializers;
mod limits;
pub mod messages;
mod options;
pub(crate) mod shapes;
mod types;

pub use build::{Extent, GraphBuilder};
pub use check::{IR_VERSIONS, OPSETS, check};
pub use classifier::{adopt, import};
pub use decode::decode;
pub use limits::Limits;
pub use options::{InputSize, OnnxOptions, Origin};
