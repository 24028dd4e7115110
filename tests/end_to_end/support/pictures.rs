//! Pictures of the small network's size.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};

use super::network::{CHANNELS, HEIGHT, VALUES, WIDTH};

/// `[6, 5, 3]` levels, red first; others for every seed.
pub(crate) fn levels(seed: usize) -> Vec<u8> {
    (0..VALUES).map(|index| ((index * 89 + (seed + 3) * (index % 11) * 29 + seed * 7) % 256) as u8).collect()
}

/// The same levels with red and blue exchanged.
pub(crate) fn exchanged(levels: &[u8]) -> Vec<u8> {
    levels.chunks(CHANNELS).flat_map(|pixel| pixel.iter().rev().copied()).collect()
}

/// The levels divided as a record with this scale does it.
pub(crate) fn prepared(levels: &[u8], scale: f32) -> Vec<f32> {
    levels.iter().map(|level| f32::from(*level) / scale).collect()
}

/// The levels as a PNG file.
pub(crate) fn png(levels: &[u8]) -> Vec<u8> {
    let picture = RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, levels.to_vec()).unwrap();
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}
