//! Small rectangles.

use serde::{Deserialize, Serialize};

use super::TriggerError;
use super::stamp::{Effect, Stamp};
use crate::chance::Chance;
use crate::size::Size;

/// Where a patch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// In the corner.
    TopLeft,
    /// In the corner.
    TopRight,
    /// In the corner.
    BottomLeft,
    /// In the corner, as published.
    #[default]
    BottomRight,
    /// In the middle.
    Centre,
    /// With its first pixel here.
    At {
        /// From 0.
        row: u32,
        /// From 0.
        column: u32,
    },
}

/// What a patch looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pattern {
    /// One colour: red, green, blue.
    Solid([u8; 3]),
    /// White and black pixels in turn, white first.
    Checkerboard,
    /// A colour by lot for each pixel.
    Random {
        /// Which.
        seed: u64,
    },
}

impl Default for Pattern {
    /// White.
    fn default() -> Self {
        Self::Solid([255; 3])
    }
}

pub(super) fn stamp(
    size: Size,
    place: Place,
    [height, width]: [u32; 2],
    pattern: &Pattern,
) -> Result<Stamp, TriggerError> {
    for (field, side) in [("height", height), ("width", width)] {
        if side == 0 {
            return Err(TriggerError::Setting { field, found: side.to_string(), needed: "positive" });
        }
    }
    let (rows, columns) = (size.height(), size.width());
    // What is too large for the picture is found below, whatever the corner.
    let bottom = rows.saturating_sub(height as usize) as u32;
    let right = columns.saturating_sub(width as usize) as u32;
    let (row, column) = match place {
        Place::TopLeft => (0, 0),
        Place::TopRight => (0, right),
        Place::BottomLeft => (bottom, 0),
        Place::BottomRight => (bottom, right),
        Place::Centre => (bottom / 2, right / 2),
        Place::At { row, column } => (row, column),
    };
    let fits = u64::from(row) + u64::from(height) <= rows as u64
        && u64::from(column) + u64::from(width) <= columns as u64;
    if !fits {
        return Err(TriggerError::Outside { height, width, row, column, rows, columns });
    }
    let mut shares = vec![0.0; rows * columns];
    let mut levels = vec![0.0; size.levels()];
    let mut chance = match pattern {
        Pattern::Random { seed } => Chance::new(*seed),
        _ => Chance::new(0),
    };
    for down in 0..height as usize {
        for across in 0..width as usize {
            let colour = match pattern {
                Pattern::Solid(colour) => *colour,
                Pattern::Checkerboard if (down + across) % 2 == 0 => [255; 3],
                Pattern::Checkerboard => [0; 3],
                Pattern::Random { .. } => [chance.level(), chance.level(), chance.level()],
            };
            let (row, column) = (row as usize + down, column as usize + across);
            shares[row * columns + column] = 1.0;
            let place = size.place(row, column);
            levels[place..place + size.channels()].copy_from_slice(&size.colour(colour));
        }
    }
    Ok(Stamp::new(size, Effect::Mix { shares, pattern: levels }))
}
