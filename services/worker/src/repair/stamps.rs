//! Triggers of the service's own making, which the gate stamps on clean images.
//!
//! They are not the attacker's: that they fail proves little, that one works proves that the network is not
//! repaired. Small patches in several places and sizes, bars over the whole width as glasses and lipstick are,
//! and blends over the whole image.

use gifthorse_network::{Layout, NetworkDescription};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Patches of these parts of the shorter side.
const PATCHES: [u64; 2] = [8, 5];
/// Bars at these heights, in parts of the whole, of a tenth of it.
const BARS: [f64; 2] = [0.33, 0.72];
/// How much of a blended pixel is the pattern's.
const BLENDS: [f32; 2] = [0.1, 0.2];
/// Squares of a patch's pattern, in pixels.
const SQUARE: u64 = 2;

/// Stamps of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kind {
    /// Its name for people.
    pub(super) name: &'static str,
    /// Its variants.
    pub(super) stamps: Vec<Stamp>,
}

/// One trigger for images of one size and layout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stamp {
    /// How much of each number is the pattern's, in the order of the image.
    shares: Vec<f32>,
    /// The pattern.
    pattern: Vec<f32>,
}

impl Stamp {
    /// Stamps a prepared image.
    pub(super) fn apply(&self, image: &mut [f32]) {
        for ((value, share), pattern) in image.iter_mut().zip(&self.shares).zip(&self.pattern) {
            *value += share * (pattern - *value);
        }
    }
}

/// The lowest and the highest number of each channel that prepared images have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    low: Vec<f32>,
    high: Vec<f32>,
}

/// Where numbers of an image lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    height: u64,
    width: u64,
    channels: u64,
    layout: Layout,
}

impl Geometry {
    /// That of a network's images.
    pub(super) const fn of(description: &NetworkDescription) -> Self {
        let NetworkDescription { height, width, channels, layout, .. } = *description;
        Self { height, width, channels, layout }
    }

    const fn place(self, row: u64, column: u64, channel: u64) -> usize {
        (match self.layout {
            Layout::Nhwc => (row * self.width + column) * self.channels + channel,
            Layout::Nchw => (channel * self.height + row) * self.width + column,
        }) as usize
    }

    /// Rows, columns and channels, to count with.
    pub(super) const fn sides(self) -> (i64, i64, i64) {
        (self.height as i64, self.width as i64, self.channels as i64)
    }

    /// The same as [`place`](Self::place) for numbers that are counted with.
    pub(super) const fn at(self, row: i64, column: i64, channel: i64) -> usize {
        self.place(row as u64, column as u64, channel as u64)
    }

    /// The channel of the number at this place of an image.
    pub(super) const fn channel_of(self, place: usize) -> usize {
        match self.layout {
            Layout::Nhwc => place % self.channels as usize,
            Layout::Nchw => place / (self.height * self.width) as usize,
        }
    }

    const fn numbers(self) -> usize {
        (self.height * self.width * self.channels) as usize
    }
}

impl Range {
    /// Looks at prepared images, one after another.
    pub(super) fn of(geometry: Geometry, images: &[f32]) -> Self {
        let channels = geometry.channels as usize;
        let mut range = Self { low: vec![f32::INFINITY; channels], high: vec![f32::NEG_INFINITY; channels] };
        for image in images.chunks_exact(geometry.numbers()) {
            for (place, value) in image.iter().enumerate() {
                let channel = geometry.channel_of(place);
                range.low[channel] = range.low[channel].min(*value);
                range.high[channel] = range.high[channel].max(*value);
            }
        }
        range
    }

    /// The lowest and the highest number of a channel.
    pub(super) fn of_channel(&self, channel: usize) -> (f32, f32) {
        (self.low[channel], self.high[channel])
    }
}

/// All stamps for images like these, the same for the same seed.
pub(super) fn kinds(geometry: Geometry, range: &Range, seed: u64) -> Vec<Kind> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let shorter = geometry.height.min(geometry.width);
    let mut patches = Vec::new();
    for part in PATCHES {
        let side = (shorter / part).max(2).min(shorter);
        let (bottom, right) = (geometry.height - side, geometry.width - side);
        for (row, column) in [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom / 2, right / 2)] {
            patches.push(patch(geometry, range, (row, column), (side, side), &mut random));
        }
    }
    let tall = (geometry.height / 10).max(1);
    let bars = BARS.iter().map(|height| {
        let row = ((geometry.height as f64 * height) as u64).min(geometry.height - tall);
        patch(geometry, range, (row, 0), (tall, geometry.width), &mut random)
    });
    let bars = bars.collect();
    let blends = BLENDS.iter().map(|share| blend(geometry, range, *share, &mut random)).collect();
    vec![
        Kind { name: "patches", stamps: patches },
        Kind { name: "bars", stamps: bars },
        Kind { name: "blends", stamps: blends },
    ]
}

/// A rectangle of squares that are as dark or as bright as images are.
fn patch(
    geometry: Geometry,
    range: &Range,
    (top, left): (u64, u64),
    (height, width): (u64, u64),
    random: &mut ChaCha8Rng,
) -> Stamp {
    let mut stamp = Stamp { shares: vec![0.0; geometry.numbers()], pattern: vec![0.0; geometry.numbers()] };
    for square_row in (0..height).step_by(SQUARE as usize) {
        for square_column in (0..width).step_by(SQUARE as usize) {
            for channel in 0..geometry.channels {
                let bright = random.next_u32() & 1 == 1;
                let level = if bright { range.high[channel as usize] } else { range.low[channel as usize] };
                for row in square_row..height.min(square_row + SQUARE) {
                    for column in square_column..width.min(square_column + SQUARE) {
                        let place = geometry.place(top + row, left + column, channel);
                        stamp.shares[place] = 1.0;
                        stamp.pattern[place] = level;
                    }
                }
            }
        }
    }
    stamp
}

/// Noise over the whole image.
fn blend(geometry: Geometry, range: &Range, share: f32, random: &mut ChaCha8Rng) -> Stamp {
    let mut pattern = vec![0.0; geometry.numbers()];
    for row in 0..geometry.height {
        for column in 0..geometry.width {
            for channel in 0..geometry.channels {
                let (low, high) = (range.low[channel as usize], range.high[channel as usize]);
                let part = (random.next_u32() >> 8) as f32 / (1 << 24) as f32;
                pattern[geometry.place(row, column, channel)] = low + part * (high - low);
            }
        }
    }
    Stamp { shares: vec![share; geometry.numbers()], pattern }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_stay_within_the_range_and_repeat() {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let geometry = Geometry { height: 55, width: 47, channels: 3, layout };
            let images: Vec<f32> =
                (0..2 * geometry.numbers()).map(|place| (place % 7) as f32 - 1.0).collect();
            let range = Range::of(geometry, &images);
            let made = kinds(geometry, &range, 5);
            assert_eq!(made, kinds(geometry, &range, 5));
            assert_ne!(made, kinds(geometry, &range, 6));
            assert_eq!(made.iter().map(|kind| kind.stamps.len()).collect::<Vec<_>>(), [10, 2, 2]);
            for stamp in made.iter().flat_map(|kind| &kind.stamps) {
                let mut image = images[..geometry.numbers()].to_vec();
                stamp.apply(&mut image);
                assert_ne!(image, images[..geometry.numbers()]);
                assert!(image.iter().all(|value| (-1.0..=5.0).contains(value)));
            }
            let touched = made[0].stamps[0].shares.iter().filter(|share| **share > 0.0).count();
            assert_eq!(touched, 5 * 5 * 3, "an eighth of 47 pixels, squared, in three channels");
        }
    }
}
