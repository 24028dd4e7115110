//! Pictures: encoded bytes in, 8-bit pixels out, within limits.
//!
//! Read are PNG, JPEG, BMP and WebP; the bytes decide, never a name. 16-bit samples are rounded to 8 bit
//! (v / 257, half up), so that 0 and 65535 become 0 and 255 exactly; palettes and 1-, 2- and 4-bit samples
//! are expanded. Colour profiles and gamma are ignored, as the training programs of image classifiers do.
//! Of an animation the first frame is taken.

mod error;
mod format;
mod jpeg;
mod orientation;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use serde::{Deserialize, Serialize};

pub use error::PictureError;
pub use format::PictureFormat;

/// Working memory of a decoder beyond the pixels it produces, in bytes.
const DECODER_MEMORY: u64 = 64 << 20;
/// Bytes of the largest pixel a decoder produces: four samples of 16 bit.
const MAX_PIXEL_BYTES: u64 = 8;

/// The largest pictures that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureLimits {
    /// Bytes of the encoded picture.
    pub max_bytes: u64,
    /// Pixels, height times width; checked against the header before anything is decoded.
    pub max_pixels: u64,
}

impl Default for PictureLimits {
    /// 32 MiB encoded, 50 megapixels decoded.
    fn default() -> Self {
        Self { max_bytes: 32 << 20, max_pixels: 50_000_000 }
    }
}

/// What the samples of a pixel are, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Grey.
    Grey,
    /// Grey, alpha.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha.
    RgbAlpha,
}

impl PixelFormat {
    /// Samples a pixel, 1 to 4.
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::RgbAlpha => 4,
        }
    }
}

/// A decoded picture: `[H, W, C]` samples of 8 bit, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    height: usize,
    width: usize,
    format: PixelFormat,
    samples: Vec<u8>,
    orientation: Orientation,
}

impl Picture {
    /// Rows.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// What the samples of a pixel are.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// The samples, `[H, W, C]`, as stored in the file: not turned upright.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Whether the file says that its pixels must be turned or mirrored to be upright.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }

    /// The picture as it should be looked at.
    #[must_use]
    pub fn upright(&self) -> Self {
        let (height, width, samples) = orientation::upright(
            self.orientation,
            self.height,
            self.width,
            self.format.channels(),
            &self.samples,
        );
        Self { height, width, format: self.format, samples, orientation: Orientation::NoTransforms }
    }
}

/// Decodes a picture.
///
/// The size in the header is checked before pixels are decoded, and the decoder's memory is bounded, so a
/// small file that unfolds into a huge picture is refused at the cost of its header.
pub fn read_picture(bytes: &[u8], limits: &PictureLimits) -> Result<Picture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(PictureError::TooManyBytes { found: bytes.len() as u64, limit: limits.max_bytes });
    }
    let format = PictureFormat::sniff(bytes).ok_or_else(|| PictureError::unknown(bytes))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
    let mut memory = Limits::no_limits();
    memory.max_alloc = Some(limits.max_pixels.saturating_mul(MAX_PIXEL_BYTES).saturating_add(DECODER_MEMORY));
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(|error| PictureError::decoding(format, error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PictureError::TooManyPixels { height, width, limit: limits.max_pixels });
    }
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged { format, fault: "it has no pixels".to_owned() });
    }
    if format == PictureFormat::Jpeg && !jpeg::reaches_end(bytes) {
        return Err(PictureError::Truncated { format });
    }
    // A camera's unreadable note about the orientation does not make the picture unreadable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| PictureError::decoding(format, error))?;
    let (format, samples) = eight_bit(image);
    Ok(Picture { height: height as usize, width: width as usize, format, samples, orientation })
}

fn eight_bit(decoded: DynamicImage) -> (PixelFormat, Vec<u8>) {
    match decoded {
        DynamicImage::ImageLuma8(image) => (PixelFormat::Grey, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (PixelFormat::GreyAlpha, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (PixelFormat::Rgb, image.into_raw()),
        DynamicImage::ImageRgba8(image) => (PixelFormat::RgbAlpha, image.into_raw()),
        DynamicImage::ImageLuma16(image) => (PixelFormat::Grey, rounded(image.as_raw())),
        DynamicImage::ImageLumaA16(image) => (PixelFormat::GreyAlpha, rounded(image.as_raw())),
        DynamicImage::ImageRgb16(image) => (PixelFormat::Rgb, rounded(image.as_raw())),
        DynamicImage::ImageRgba16(image) => (PixelFormat::RgbAlpha, rounded(image.as_raw())),
        // None of the four formats decodes to floats; the crate's own conversion covers what may come.
        other => (PixelFormat::RgbAlpha, other.into_rgba8().into_raw()),
    }
}

fn rounded(samples: &[u16]) -> Vec<u8> {
    samples.iter().map(|sample| ((u32::from(*sample) + 128) / 257) as u8).collect()
}
