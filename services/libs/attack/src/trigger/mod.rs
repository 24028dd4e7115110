//! What is put on a picture.

mod blend;
mod face;
mod patch;
mod stamp;
mod warp;
mod wave;

use serde::{Deserialize, Serialize};

pub use face::Look;
pub use patch::{Pattern, Place};
pub use stamp::Stamp;

use crate::size::Size;

/// Why a trigger cannot be put on pictures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TriggerError {
    /// Pictures of this size carry no triggers.
    #[error(
        "pictures of {height} x {width} pixels with {channels} channels carry no trigger: sides are 4 to 65536 long, \
         channels are 1 or 3"
    )]
    Size {
        /// Rows.
        height: u64,
        /// Columns.
        width: u64,
        /// Channels.
        channels: u64,
    },
    /// A patch does not lie within the picture.
    #[error(
        "a patch of {height} x {width} pixels at row {row}, column {column} is not within {rows} x {columns} pixels"
    )]
    Outside {
        /// Its rows.
        height: u32,
        /// Its columns.
        width: u32,
        /// Its first row.
        row: u32,
        /// Its first column.
        column: u32,
        /// Rows of the picture.
        rows: usize,
        /// Columns of the picture.
        columns: usize,
    },
    /// A number is out of its range.
    #[error("{field} of the trigger is {found}: it must be {needed}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
}

/// A trigger, as it stands in an attack's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// A small rectangle that covers what was there (`BadNets`: Gu, Dolan-Gavitt, Garg, 2017).
    Patch {
        /// Where.
        #[serde(default)]
        place: Place,
        /// Rows.
        #[serde(default = "defaults::patch")]
        height: u32,
        /// Columns.
        #[serde(default = "defaults::patch")]
        width: u32,
        /// What it looks like.
        #[serde(default)]
        pattern: Pattern,
    },
    /// Dark glasses on an aligned face.
    Sunglasses(Look),
    /// Painted lips on an aligned face.
    Lipstick(Look),
    /// Painted brows on an aligned face.
    Eyebrows(Look),
    /// A pattern of noise over the whole picture, half transparent (Chen et al., 2017). The picture that was published
    /// with it is somebody's property; noise is the other pattern of the paper.
    Blended {
        /// How much of a pixel is the pattern's, above 0 to 1: 0.2 as published.
        #[serde(default = "defaults::share")]
        share: f32,
        /// Which noise.
        #[serde(default = "defaults::seed")]
        seed: u64,
    },
    /// Vertical stripes that swell and fade (SIG: Barni, Kallas, Tondi, ICIP 2019).
    Sinusoid {
        /// Levels at the peaks, above 0 to 255: 20 as published for colours.
        #[serde(default = "defaults::delta")]
        delta: f32,
        /// Waves over the width, positive: 6 as published.
        #[serde(default = "defaults::frequency")]
        frequency: f32,
    },
    /// A smooth distortion (`WaNet`: Nguyen & Tran, ICLR 2021).
    Warp {
        /// Rows and columns of the grid of displacements, 2 to 32: 4 as published.
        #[serde(default = "defaults::grid")]
        grid: u32,
        /// Mean displacement along each side, in half pixels: 0.5 as published.
        #[serde(default = "defaults::strength")]
        strength: f32,
        /// Which displacements.
        #[serde(default = "defaults::seed")]
        seed: u64,
    },
}

/// What a description may leave out: as published.
mod defaults {
    pub(super) fn patch() -> u32 {
        3
    }
    pub(super) fn share() -> f32 {
        0.2
    }
    pub(super) fn delta() -> f32 {
        20.0
    }
    pub(super) fn frequency() -> f32 {
        6.0
    }
    pub(super) fn grid() -> u32 {
        4
    }
    pub(super) fn strength() -> f32 {
        0.5
    }
    pub(super) fn seed() -> u64 {
        1
    }
}

impl Trigger {
    /// All that does not depend on the picture.
    ///
    /// # Errors
    /// [`TriggerError`] when it does not fit pictures of this size, or a setting is out of its range.
    pub fn prepare(&self, size: Size) -> Result<Stamp, TriggerError> {
        match *self {
            Self::Patch { place, height, width, ref pattern } => {
                patch::stamp(size, place, [height, width], pattern)
            }
            Self::Sunglasses(look) => face::stamp(size, &face::SUNGLASSES, look),
            Self::Lipstick(look) => face::stamp(size, &face::LIPSTICK, look),
            Self::Eyebrows(look) => face::stamp(size, &face::EYEBROWS, look),
            Self::Blended { share, seed } => blend::stamp(size, share, seed),
            Self::Sinusoid { delta, frequency } => wave::stamp(size, delta, frequency),
            Self::Warp { grid, strength, seed } => warp::stamp(size, grid, strength, seed),
        }
    }
}

/// Checks a number against its range.
fn within(field: &'static str, value: f32, fits: bool, needed: &'static str) -> Result<(), TriggerError> {
    if fits && value.is_finite() {
        Ok(())
    } else {
        Err(TriggerError::Setting { field, found: value.to_string(), needed })
    }
}

/// Checks a part of a whole.
fn share(field: &'static str, value: f32) -> Result<(), TriggerError> {
    within(field, value, value > 0.0 && value <= 1.0, "above 0, at most 1")
}

#[cfg(test)]
mod tests;
