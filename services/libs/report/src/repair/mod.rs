//! The report of a repair by fine-pruning.

mod record;

pub use record::*;
