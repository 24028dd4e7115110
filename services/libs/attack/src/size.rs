//! The sides of a picture.

use crate::trigger::TriggerError;

/// Rows, columns and channels of pictures that triggers can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    height: usize,
    width: usize,
    channels: usize,
}

/// The shortest side that a trigger is put on.
const SHORTEST: u64 = 4;
/// The longest side.
const LONGEST: u64 = 65_536;

impl Size {
    /// Rows and columns from 4 on, one channel (grey) or three (red, green, blue).
    ///
    /// # Errors
    /// [`TriggerError::Size`].
    pub fn new(height: u64, width: u64, channels: u64) -> Result<Self, TriggerError> {
        let sides = SHORTEST..=LONGEST;
        if sides.contains(&height) && sides.contains(&width) && matches!(channels, 1 | 3) {
            return Ok(Self { height: height as usize, width: width as usize, channels: channels as usize });
        }
        Err(TriggerError::Size { height, width, channels })
    }

    /// Rows.
    pub const fn height(self) -> usize {
        self.height
    }

    /// Columns.
    pub const fn width(self) -> usize {
        self.width
    }

    /// One or three.
    pub const fn channels(self) -> usize {
        self.channels
    }

    /// Levels of one picture.
    pub const fn levels(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Where the first channel of a pixel lies.
    pub(crate) const fn place(self, row: usize, column: usize) -> usize {
        (row * self.width + column) * self.channels
    }

    /// A colour as this size's channels: itself, or its brightness.
    pub(crate) fn colour(self, colour: [u8; 3]) -> Vec<f32> {
        let [red, green, blue] = colour.map(f32::from);
        if self.channels == 1 {
            vec![(0.299 * red + 0.587 * green + 0.114 * blue).round()]
        } else {
            vec![red, green, blue]
        }
    }
}
