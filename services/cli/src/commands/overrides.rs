//! What one command changes of a model's preprocessing record.

use gifthorse_api::v1;

use crate::preprocessing::{ChannelOrder, Divisor};

/// Flags that say how these pixels differ from what the model's record expects. Calibrations are bound to
/// them: scan and evaluate with the same ones.
#[derive(Debug, clap::Args)]
pub(super) struct Overrides {
    /// How the channels of these pictures are ordered [default: as their format says]
    #[arg(long, value_name = "ORDER")]
    channel_order: Option<ChannelOrder>,
    /// Divide pixel values by this instead of the model's own divisor
    #[arg(long, value_name = "DIVISOR")]
    scale: Option<Divisor>,
}

impl Overrides {
    /// The override, where there is one.
    pub(super) fn message(&self) -> Option<v1::PreprocessingOverride> {
        let overrides = v1::PreprocessingOverride {
            channel_order: self
                .channel_order
                .map_or(v1::channel_order::Kind::ChannelOrderUnspecified, Into::into)
                .into(),
            scale: self.scale.map_or(0.0, Divisor::value),
            ..Default::default()
        };
        (overrides != v1::PreprocessingOverride::default()).then_some(overrides)
    }
}
