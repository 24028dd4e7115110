//! The clean images that a repair learns from, in memory, and variations of them.

use gifthorse_defence::draw::permutation;
use ndarray::{ArrayD, IxDyn};

use super::super::geometry::{Geometry, Range};
use super::super::material::Material;
use super::chance::Chance;
use crate::engine::EngineFault;
use crate::pruning::ImageSource as _;

/// Numbers of all images together at most; of a larger set some images are drawn.
const NUMBERS: usize = 1 << 26;
/// Pixels that variations are moved by at most, a part of the shorter side.
const MOVED: i64 = 24;
/// How much brighter or darker variations are.
const BRIGHTNESS: (f32, f32) = (0.8, 1.2);
/// Share of one of two images in a mixture.
const MIXED: (f32, f32) = (0.3, 0.7);

/// Clean images as the network takes them.
#[derive(Debug)]
pub(super) struct Clean {
    pub(super) geometry: Geometry,
    pub(super) range: Range,
    /// One image after the other.
    values: Vec<f32>,
    /// Their classes.
    pub(super) truth: Vec<u32>,
    axes: [usize; 3],
}

impl Clean {
    /// The images that rank and train.
    pub(super) fn of(material: &Material, seed: u64) -> Result<Self, EngineFault> {
        Self::of_rows(material, &material.split.ranking, seed)
    }

    /// Those of these rows.
    pub(super) fn of_rows(material: &Material, rows: &[usize], seed: u64) -> Result<Self, EngineFault> {
        let geometry = Geometry::of(&material.description);
        let axes = material.suspect.image();
        let most = (NUMBERS / axes.iter().product::<usize>().max(1)).max(1);
        let mut chosen: Vec<usize> =
            permutation(rows.len(), seed).into_iter().take(most).map(|place| rows[place]).collect();
        chosen.sort_unstable();
        let images = material.clean.rows(&material.preprocessing, &chosen)?;
        let values = images.read(0..images.count()).map_err(|error| EngineFault::of(&error))?;
        let truth = chosen.iter().map(|row| material.clean.truth[*row]).collect();
        Ok(Self { range: Range::of(geometry, &values), geometry, values, truth, axes })
    }

    pub(super) fn count(&self) -> usize {
        self.truth.len()
    }

    pub(super) fn image(&self, place: usize) -> &[f32] {
        let numbers = self.numbers();
        &self.values[place * numbers..(place + 1) * numbers]
    }

    /// Numbers of one image.
    pub(super) fn numbers(&self) -> usize {
        self.axes.iter().product()
    }

    /// Images as an array.
    pub(super) fn array(&self, values: Vec<f32>) -> Result<ArrayD<f32>, EngineFault> {
        let [one, two, three] = self.axes;
        let count = values.len() / self.numbers().max(1);
        ArrayD::from_shape_vec(IxDyn(&[count, one, two, three]), values).map_err(|error| {
            EngineFault::internal(gifthorse_api::catalogue::ErrorCode::Internal, error.to_string())
        })
    }

    /// An image moved a little, and mirrored half of the time.
    pub(super) fn moved(&self, place: usize, chance: &mut Chance) -> Vec<f32> {
        let (height, width, channels) = self.geometry.sides();
        let most = (height.min(width) / MOVED).max(1);
        let (down, right, mirrored) = (chance.around(most), chance.around(most), chance.happens(0.5));
        let image = self.image(place);
        let mut moved = image.to_vec();
        for row in 0..height {
            for column in 0..width {
                let from_row = (row - down).clamp(0, height - 1);
                let from = (column - right).clamp(0, width - 1);
                let from = if mirrored { width - 1 - from } else { from };
                for channel in 0..channels {
                    moved[self.geometry.at(row, column, channel)] =
                        image[self.geometry.at(from_row, from, channel)];
                }
            }
        }
        moved
    }

    /// A moved image, brighter or darker, and mixed with another one half of the time: what stands for all the
    /// images of the domain that the set does not show.
    pub(super) fn varied(&self, place: usize, chance: &mut Chance) -> Vec<f32> {
        let mut image = self.moved(place, chance);
        if chance.happens(0.5) {
            let other = self.moved(chance.below(self.count()), chance);
            let share = chance.between(MIXED.0, MIXED.1);
            for (value, other) in image.iter_mut().zip(other) {
                *value += share * (other - *value);
            }
        }
        let factor = chance.between(BRIGHTNESS.0, BRIGHTNESS.1);
        for (number, value) in image.iter_mut().enumerate() {
            let (low, high) = self.range.of_channel(self.geometry.channel_of(number));
            *value = (low + (*value - low) * factor).min(high);
        }
        image
    }
}
