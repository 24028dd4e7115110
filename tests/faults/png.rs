//! PNG files of every kind, right and wrong.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// How a pixel is stored: the number of the format's colour types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Grey = 0,
    Rgb = 2,
    GreyAlpha = 4,
    RgbAlpha = 6,
}

impl Colour {
    /// Samples a pixel.
    pub(crate) const fn samples(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::RgbAlpha => 4,
        }
    }
}

/// A picture of `bits` a sample, 8 or 16; `samples` as they are stored, 16-bit ones high byte first.
pub(crate) fn png(height: u32, width: u32, colour: Colour, bits: u8, samples: &[u8]) -> Vec<u8> {
    let row_bytes = width as usize * colour.samples() * usize::from(bits / 8);
    assert_eq!(samples.len(), row_bytes * height as usize);
    // Each row begins with the number of its filter: none.
    let rows: Vec<u8> = samples.chunks(row_bytes).flat_map(|row| [&[0], row].concat()).collect();
    file(height, width, colour, bits, &rows)
}

/// A sound header of any size, and pixels for hardly any of it.
pub(crate) fn nearly_empty(height: u32, width: u32) -> Vec<u8> {
    file(height, width, Colour::Rgb, 8, &[0; 4096])
}

/// Where the checksum of the pixels is: the last four bytes before the closing chunk of twelve.
pub(crate) fn checksum_of_pixels(png: &[u8]) -> usize {
    png.len() - 12 - 4
}

fn file(height: u32, width: u32, colour: Colour, bits: u8, rows: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[bits, colour as u8, 0, 0, 0]].concat();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(rows).unwrap();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", header), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())] {
        file.extend((content.len() as u32).to_be_bytes());
        let mut checksum = Crc::new();
        checksum.update(kind);
        checksum.update(&content);
        file.extend(kind);
        file.extend(content);
        file.extend(checksum.sum().to_be_bytes());
    }
    file
}
