//! How layers behave that do one thing in training and another in service.

use serde::{Deserialize, Serialize};

/// Which statistics batch normalisation divides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// The stored ones, which stay as they are; scale and shift are trained. The choice for few images.
    #[default]
    Frozen,
    /// Those of the batch, which the stored ones follow.
    Train,
}

/// How a network behaves during training steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mode {
    /// Batch normalisation. Networks exported with it folded into convolutions have none.
    pub batch_norm: BatchNorm,
    /// Whether `Dropout` nodes drop values.
    pub dropout: bool,
}
