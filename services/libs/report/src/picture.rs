//! Pictures of illustrations: from tensors, to PNG and back, drawn large without smoothing.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gifthorse_api::v1::{self, image_tensor::Content};
use image::{ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::ReportError;

/// Rows and columns of a picture at most.
const LARGEST: usize = 4096;

/// A picture of red, green and blue bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pixels: RgbImage,
}

impl Picture {
    /// The picture of this size with these colours by column and row; a side of 0 counts as 1.
    pub(crate) fn of_colours(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Self {
        let pixels = RgbImage::from_fn(width.max(1), height.max(1), |x, y| image::Rgb(colour(x, y)));
        Self { pixels }
    }

    /// The picture that a tensor of pixel values 0..255 holds, grey or in colour, channels first or last.
    pub(crate) fn of_tensor(tensor: &v1::ImageTensor) -> Result<Self, ReportError> {
        let fault = |fault: String| ReportError::Picture { fault };
        let sides: Vec<usize> =
            tensor.shape.iter().map(|side| usize::try_from(*side).unwrap_or_default()).collect();
        let (height, width, channels, channels_last) = match sides[..] {
            [height, width, channels @ (1 | 3)] => (height, width, channels, true),
            [channels @ (1 | 3), height, width] => (height, width, channels, false),
            _ => return Err(fault(format!("its shape is {:?}, not [H, W, 3 or 1]", tensor.shape))),
        };
        if !(1..=LARGEST).contains(&height) || !(1..=LARGEST).contains(&width) {
            return Err(fault(format!(
                "{height} x {width} pixels: 1 to {LARGEST} rows and columns are shown"
            )));
        }
        let values: Vec<u8> = match tensor.content() {
            Content::PixelsUint8 => tensor.data.to_vec(),
            Content::PixelsFp32 => tensor
                .data
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .map(|value| value.round().clamp(0.0, 255.0) as u8)
                .collect(),
            other => {
                let content = other.as_str_name();
                return Err(fault(format!("its content is {content}, not pixel values 0..255")));
            }
        };
        if values.len() != height * width * channels {
            let (have, want) = (values.len(), height * width * channels);
            return Err(fault(format!("it holds {have} values and its shape asks for {want}")));
        }
        let pixels = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let place = y as usize * width + x as usize;
            let channel = |channel: usize| {
                let channel = channel.min(channels - 1);
                let index =
                    if channels_last { place * channels + channel } else { channel * height * width + place };
                values[index]
            };
            image::Rgb([channel(0), channel(1), channel(2)])
        });
        Ok(Self { pixels })
    }

    /// The picture in a PNG file in base64.
    pub(crate) fn of_base64(text: &str) -> Result<Self, ReportError> {
        let bytes =
            STANDARD.decode(text).map_err(|error| ReportError::Picture { fault: error.to_string() })?;
        let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = Some(LARGEST as u32);
        limits.max_image_height = Some(LARGEST as u32);
        reader.limits(limits);
        let decoded = reader.decode().map_err(|error| ReportError::Picture { fault: error.to_string() })?;
        Ok(Self { pixels: decoded.into_rgb8() })
    }

    /// A PNG file in base64.
    pub(crate) fn to_base64(&self) -> Result<String, ReportError> {
        let (width, height) = self.pixels.dimensions();
        Ok(STANDARD.encode(png(self.pixels.as_raw(), width, height)?))
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.pixels.dimensions()
    }

    /// The pixel that is nearest to a place, both coordinates in 0..1.
    pub(crate) fn at(&self, x: f64, y: f64) -> [u8; 3] {
        let (width, height) = self.size();
        let index = |share: f64, side: u32| ((share * f64::from(side)) as u32).min(side - 1);
        self.pixels.get_pixel(index(x, width), index(y, height)).0
    }
}

/// A PNG file of red, green and blue bytes.
pub(crate) fn png(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ReportError> {
    let mut file = Vec::new();
    image::write_buffer_with_format(
        &mut Cursor::new(&mut file),
        pixels,
        width,
        height,
        image::ExtendedColorType::Rgb8,
        ImageFormat::Png,
    )
    .map_err(|error| ReportError::Picture { fault: error.to_string() })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[i32], content: Content, data: Vec<u8>) -> v1::ImageTensor {
        v1::ImageTensor { shape: shape.to_vec(), content: content.into(), data: data.into() }
    }

    #[test]
    fn layouts_and_contents_give_the_same_picture() {
        let last =
            Picture::of_tensor(&tensor(&[1, 2, 3], Content::PixelsUint8, vec![1, 2, 3, 4, 5, 6])).unwrap();
        let first =
            Picture::of_tensor(&tensor(&[3, 1, 2], Content::PixelsUint8, vec![1, 4, 2, 5, 3, 6])).unwrap();
        let floats =
            [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let float = Picture::of_tensor(&tensor(&[1, 2, 3], Content::PixelsFp32, floats)).unwrap();
        assert_eq!(last, first);
        assert_eq!(last, float);
        assert_eq!(last.at(0.9, 0.5), [4, 5, 6]);
        assert_eq!(Picture::of_base64(&last.to_base64().unwrap()).unwrap(), last);
        let grey = Picture::of_tensor(&tensor(&[1, 1, 1], Content::PixelsUint8, vec![9])).unwrap();
        assert_eq!(grey.at(1.0, 1.0), [9, 9, 9]);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        for (shape, content, data) in [
            (vec![2, 2], Content::PixelsUint8, vec![0; 4]),
            (vec![1, 2, 3], Content::PixelsUint8, vec![0; 5]),
            (vec![0, 2, 3], Content::PixelsUint8, vec![]),
            (vec![-1, 2, 3], Content::PixelsUint8, vec![]),
            (vec![9999, 9999, 3], Content::PixelsUint8, vec![]),
            (vec![1, 1, 3], Content::PreparedFp32, vec![0; 12]),
        ] {
            assert!(Picture::of_tensor(&tensor(&shape, content, data)).is_err(), "{shape:?}");
        }
        assert!(Picture::of_base64("no base64!").is_err());
        assert!(Picture::of_base64("AAAA").is_err());
    }
}
