//! Triggers that were found, and how they are put on images.

use super::super::geometry::Geometry;
use super::chance::Chance;

/// From this share on a pixel is the trigger's when it is made hard.
const HARD: f32 = 0.3;

/// One trigger, or a piece of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sticker {
    /// How much of each pixel is the pattern's, row by row, 0 to 1.
    pub(super) mask: Vec<f32>,
    /// The pattern, laid out as an image.
    pub(super) pattern: Vec<f32>,
}

/// How a sticker is put on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placing {
    /// Pixels downwards.
    pub(super) down: i64,
    /// Pixels to the right.
    pub(super) right: i64,
    /// Share of the sticker's opacity.
    pub(super) strength: f32,
    /// Whether a pixel is the pattern's or not at all.
    pub(super) hard: bool,
    /// Whether it is a pixel wider on all sides.
    pub(super) wide: bool,
}

impl Placing {
    pub(super) const PLAIN: Self = Self { down: 0, right: 0, strength: 1.0, hard: false, wide: false };

    /// Of a real trigger, which is known as it is: moved a little.
    pub(super) fn of_real(chance: &mut Chance, most: i64) -> Self {
        Self { down: chance.around(most), right: chance.around(most), ..Self::PLAIN }
    }

    /// Of a piece that was found by inversion, which is only like the trigger: moved, weaker, harder or wider.
    pub(super) fn of_found(chance: &mut Chance) -> Self {
        let (hard, wide) = (chance.happens(0.3), chance.happens(0.2));
        let strength = chance.between(0.6, 1.0);
        Self { down: chance.around(1), right: chance.around(1), strength, hard, wide }
    }
}

impl Sticker {
    /// Puts the sticker on an image.
    pub(super) fn put_on(&self, image: &mut [f32], geometry: Geometry, placing: Placing) {
        let (height, width, channels) = geometry.sides();
        for row in 0..height {
            for column in 0..width {
                let (from_row, from_column) = (row - placing.down, column - placing.right);
                let share = self.share(from_row, from_column, geometry, placing) * placing.strength;
                if share <= 0.0 {
                    continue;
                }
                let clamped = |value: i64, side: i64| value.clamp(0, side - 1);
                let (from_row, from_column) = (clamped(from_row, height), clamped(from_column, width));
                for channel in 0..channels {
                    let from = geometry.at(from_row, from_column, channel);
                    let to = geometry.at(row, column, channel);
                    image[to] += share * (self.pattern[from] - image[to]);
                }
            }
        }
    }

    fn share(&self, row: i64, column: i64, geometry: Geometry, placing: Placing) -> f32 {
        let (height, width, _) = geometry.sides();
        let at = |row: i64, column: i64| {
            let inside = (0..height).contains(&row) && (0..width).contains(&column);
            if inside { self.mask[(row * width + column) as usize] } else { 0.0 }
        };
        let mut share = at(row, column);
        if placing.wide {
            let neighbours = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)];
            share = neighbours.into_iter().map(|(row, column)| at(row, column)).fold(share, f32::max);
        }
        if placing.hard { f32::from(share > HARD) } else { share }
    }

    /// All numbers in one row: the mask, then the pattern.
    pub(super) fn append_to(&self, numbers: &mut Vec<f32>) {
        numbers.extend(&self.mask);
        numbers.extend(&self.pattern);
    }

    /// All stickers of a row that [`append_to`](Self::append_to) made.
    pub(super) fn read_all(numbers: &[f32], geometry: Geometry) -> Vec<Self> {
        let (height, width, channels) = geometry.sides();
        let pixels = (height * width) as usize;
        let read =
            |numbers: &[f32]| Self { mask: numbers[..pixels].to_vec(), pattern: numbers[pixels..].to_vec() };
        numbers.chunks_exact(pixels * (1 + channels as usize)).map(read).collect()
    }
}
