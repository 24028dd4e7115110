//! What a network's prepared inputs look like: axes, sizes, and where black and white lie.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

/// Order of the axes of one image, or of one activation of a convolutional layer; the batch axis comes
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `[H, W, C]`.
    ChannelsLast,
    /// `[C, H, W]`.
    ChannelsFirst,
}

impl Layout {
    /// The axis of one image along which rows are counted.
    pub const fn row_axis(self) -> Axis {
        match self {
            Self::ChannelsLast => Axis(0),
            Self::ChannelsFirst => Axis(1),
        }
    }

    /// The axis of one image along which columns are counted.
    pub const fn column_axis(self) -> Axis {
        match self {
            Self::ChannelsLast => Axis(1),
            Self::ChannelsFirst => Axis(2),
        }
    }

    /// The axis of one image along which channels are counted.
    pub const fn channel_axis(self) -> Axis {
        match self {
            Self::ChannelsLast => Axis(2),
            Self::ChannelsFirst => Axis(0),
        }
    }
}

/// The shape of one image or of one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneShape {
    /// Order of the axes.
    pub layout: Layout,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl PlaneShape {
    /// Lengths of the three axes in the order of the layout.
    pub const fn axes(self) -> [usize; 3] {
        match self.layout {
            Layout::ChannelsLast => [self.height, self.width, self.channels],
            Layout::ChannelsFirst => [self.channels, self.height, self.width],
        }
    }
}

/// Why an input space makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InputSpaceError {
    /// A side is zero.
    #[error("an input of {height} rows, {width} columns and {channels} channels holds no pixel")]
    NoPixels {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels.
        channels: usize,
    },
    /// Black and white are not two finite numbers in this order.
    #[error("channel {channel}: black {black} and white {white} must be finite and black the smaller")]
    Range {
        /// Which channel.
        channel: usize,
        /// The prepared value of level 0.
        black: f32,
        /// The prepared value of the highest level.
        white: f32,
    },
}

impl Coded for InputSpaceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoPixels { .. } | Self::Range { .. } => ErrorCode::InvalidField,
        }
    }
}

/// The prepared values of the darkest and the brightest level of one channel.
///
/// `0` and `1` for a network fed with levels divided by 255; with a mean and a deviation taken off before the
/// network, `(0 - mean) / deviation` and `(1 - mean) / deviation`. Blends need them: adding two *pictures*
/// means adding levels, and prepared black is not always zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChannelRange {
    /// Prepared value of level 0.
    pub black: f32,
    /// Prepared value of the highest level.
    pub white: f32,
}

/// The space that prepared inputs live in.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpace {
    shape: PlaneShape,
    ranges: Vec<ChannelRange>,
}

impl InputSpace {
    /// A space with one range a channel, in the order in which the network takes channels.
    pub fn new(
        layout: Layout,
        height: usize,
        width: usize,
        ranges: Vec<ChannelRange>,
    ) -> Result<Self, InputSpaceError> {
        let channels = ranges.len();
        if height == 0 || width == 0 || channels == 0 {
            return Err(InputSpaceError::NoPixels { height, width, channels });
        }
        for (channel, ChannelRange { black, white }) in ranges.iter().copied().enumerate() {
            if !black.is_finite() || !white.is_finite() || black >= white {
                return Err(InputSpaceError::Range { channel, black, white });
            }
        }
        Ok(Self { shape: PlaneShape { layout, height, width, channels }, ranges })
    }

    /// A space whose channels all have the same range: `0..1` or `0..255` as a rule.
    pub fn uniform(
        layout: Layout,
        height: usize,
        width: usize,
        channels: usize,
        range: ChannelRange,
    ) -> Result<Self, InputSpaceError> {
        Self::new(layout, height, width, vec![range; channels])
    }

    /// The shape of one prepared input.
    pub const fn shape(&self) -> PlaneShape {
        self.shape
    }

    /// The range of each channel.
    pub fn ranges(&self) -> &[ChannelRange] {
        &self.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_follow_the_layout() {
        let shape = PlaneShape { layout: Layout::ChannelsFirst, height: 5, width: 4, channels: 3 };
        assert_eq!(shape.axes(), [3, 5, 4]);
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let shape = PlaneShape { layout, ..shape };
            assert_eq!(shape.axes()[layout.row_axis().index()], 5);
            assert_eq!(shape.axes()[layout.column_axis().index()], 4);
            assert_eq!(shape.axes()[layout.channel_axis().index()], 3);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let range = |black, white| ChannelRange { black, white };
        let space = |height, ranges| InputSpace::new(Layout::ChannelsLast, height, 4, ranges);
        assert!(space(5, vec![range(0.0, 1.0); 3]).is_ok());
        assert!(matches!(space(0, vec![range(0.0, 1.0)]), Err(InputSpaceError::NoPixels { .. })));
        assert!(matches!(space(5, vec![]), Err(InputSpaceError::NoPixels { channels: 0, .. })));
        for bad in [range(1.0, 1.0), range(f32::NAN, 1.0), range(0.0, f32::INFINITY)] {
            let refused = space(5, vec![range(0.0, 1.0), bad]);
            assert!(matches!(refused, Err(InputSpaceError::Range { channel: 1, .. })));
        }
    }
}
