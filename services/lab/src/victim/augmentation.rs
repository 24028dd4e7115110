//! What happens to a picture each time it is learned from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::Serialize;

/// What happens to a picture each time it is learned from: a function of the seed, the epoch and the picture's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Augmentation {
    /// Nothing.
    None,
    /// It is moved by up to so many pixels, what is uncovered is black; and turned left to right every other time.
    ShiftAndFlip {
        /// Rows and columns at most.
        pixels: u32,
    },
}

impl Augmentation {
    /// Writes a picture `[H, W, C]` as numbers 0..1, changed by chance.
    pub(super) fn apply(
        self,
        picture: &[u8],
        [height, width, channels]: [usize; 3],
        draw: u64,
        out: &mut [f32],
    ) {
        let Self::ShiftAndFlip { pixels } = self else {
            for (value, level) in out.iter_mut().zip(picture) {
                *value = f32::from(*level) / 255.0;
            }
            return;
        };
        let mut random = ChaCha8Rng::seed_from_u64(draw);
        let span = 2 * u64::from(pixels) + 1;
        // The remainder favours small numbers by less than one part in 2^58.
        let mut shift = || (random.next_u64() % span) as isize - pixels as isize;
        let (down, right) = (shift(), shift());
        let flipped = random.next_u32() & 1 == 1;
        for row in 0..height {
            for column in 0..width {
                let from_column = if flipped { width - 1 - column } else { column };
                let source = (row.checked_add_signed(-down), from_column.checked_add_signed(-right));
                let inside = match source {
                    (Some(row), Some(column)) if row < height && column < width => {
                        Some((row * width + column) * channels)
                    }
                    _ => None,
                };
                let place = (row * width + column) * channels;
                for channel in 0..channels {
                    out[place + channel] =
                        inside.map_or(0.0, |source| f32::from(picture[source + channel]) / 255.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_moved_and_turned_by_chance_and_repeatably() {
        let picture: Vec<u8> = (0..27).map(|level| level * 9).collect();
        let apply = |augmentation: Augmentation, draw| {
            let mut out = vec![9.0; 27];
            augmentation.apply(&picture, [3, 3, 3], draw, &mut out);
            out
        };
        let plain = apply(Augmentation::None, 1);
        assert!(
            plain.iter().zip(&picture).all(|(value, level)| (value * 255.0 - f32::from(*level)).abs() < 1e-3)
        );
        let still = Augmentation::ShiftAndFlip { pixels: 0 };
        let turned: Vec<f32> =
            (0..3).flat_map(|row| (0..3).rev().flat_map(move |column| plain_at(row, column))).collect();
        let seen: Vec<Vec<f32>> = (0..20).map(|draw| apply(still, draw)).collect();
        assert!(seen.iter().all(|one| *one == plain || *one == turned));
        assert!(seen.contains(&plain) && seen.contains(&turned));
        let moving = Augmentation::ShiftAndFlip { pixels: 2 };
        assert_eq!(apply(moving, 5), apply(moving, 5));
        assert!((0..20).any(|draw| apply(moving, draw).iter().filter(|value| **value == 0.0).count() > 9));
    }

    fn plain_at(row: usize, column: usize) -> [f32; 3] {
        [0, 1, 2].map(|channel| ((row * 3 + column) * 3 + channel) as f32 * 9.0 / 255.0)
    }
}
