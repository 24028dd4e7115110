//! Pictures and pixel arrays, prepared as a network takes them.
//!
//! The arithmetic is exact to the bit and the same for every way in: with level v, channel c,
//! `((v as f32) / scale - mean[c]) / std[c]`, each step rounded to `f32`, steps without a value left out.
//! A picture or byte array that is resized, blended or reduced to grey is rounded to whole levels after
//! each of these steps, as Pillow does; an array of `f32` levels is not rounded.

mod channels;
mod error;
mod fit;
mod level;
mod pixels;
mod raster;
mod resample;

use crate::picture::Picture;
use crate::preprocessing::{ChannelOrder, ExifOrientation, Layout, Preprocessing};

pub use error::PrepareError;
pub use pixels::{PixelArray, PixelValues};

use level::Level;
pub(crate) use raster::Raster;

/// Images ready for a network: `[N, H, W, C]` or `[N, C, H, W]` as its record says, row-major, finite.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTensor {
    shape: [usize; 4],
    values: Vec<f32>,
}

impl ImageTensor {
    /// The four sides, the batch first.
    pub const fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The values, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, row-major.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The values as little-endian bytes, the form tensors travel in.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// One picture as a batch of one.
pub fn prepare_picture(picture: &Picture, record: &Preprocessing) -> Result<ImageTensor, PrepareError> {
    let mut values = Vec::with_capacity(record.shape(1).iter().product());
    let conformed = conform_picture(picture, record)?;
    normalise(&conformed, record, &mut values);
    Ok(ImageTensor { shape: record.shape(1), values })
}

/// An array of pixel levels, as a batch of as many.
pub fn prepare_pixels(pixels: &PixelArray<'_>, record: &Preprocessing) -> Result<ImageTensor, PrepareError> {
    let shape = record.shape(pixels.count());
    let mut values = Vec::with_capacity(shape.iter().product());
    match pixels.values() {
        PixelValues::U8(levels) => prepare_levels(levels, pixels, record, &mut values)?,
        PixelValues::F32(levels) => prepare_levels(levels, pixels, record, &mut values)?,
    }
    Ok(ImageTensor { shape, values })
}

/// A tensor its sender has prepared already: only its shape and its values' finiteness are checked.
pub fn check_tensor(
    shape: &[u64],
    values: Vec<f32>,
    record: &Preprocessing,
) -> Result<ImageTensor, PrepareError> {
    let count = shape.first().copied().unwrap_or(0);
    let expected = record.shape(count as usize);
    if count == 0
        || shape.len() != 4
        || !shape.iter().zip(expected).all(|(found, side)| *found == side as u64)
    {
        return Err(PrepareError::Shape { expected: expected_sides(record), found: shape.to_vec() });
    }
    let elements = pixels::elements(shape)?;
    if values.len() as u64 != elements {
        return Err(PrepareError::Length { expected: elements, found: values.len() as u64 });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(PrepareError::NotFinite { index, value: values[index] });
    }
    Ok(ImageTensor { shape: expected, values })
}

fn expected_sides(record: &Preprocessing) -> String {
    let [_, first, second, third] = record.shape(1);
    format!("[N, {first}, {second}, {third}]")
}

fn conform_picture(picture: &Picture, record: &Preprocessing) -> Result<Raster<u8>, PrepareError> {
    let heeds = record.resize().is_some_and(|rule| rule.exif_orientation == ExifOrientation::Apply);
    let turned = (heeds && picture.is_turned()).then(|| picture.upright());
    let raster = Raster::of_picture(turned.as_ref().unwrap_or(picture));
    conform(raster, record)
}

fn prepare_levels<L: Level>(
    levels: &[L],
    pixels: &PixelArray<'_>,
    record: &Preprocessing,
    values: &mut Vec<f32>,
) -> Result<(), PrepareError> {
    for index in 0..pixels.count() {
        let raster = pixels.raster(levels, index);
        normalise(&conform(raster, record)?, record, values);
    }
    Ok(())
}

fn conform<L: Level>(raster: Raster<L>, record: &Preprocessing) -> Result<Raster<L>, PrepareError> {
    raster.with_channels(record.channels(), record.alpha())?.fitted(
        record.height(),
        record.width(),
        record.resize().copied(),
    )
}

/// Appends one image in the record's layout.
fn normalise<L: Level>(raster: &Raster<L>, record: &Preprocessing, values: &mut Vec<f32>) {
    let channels = record.channels();
    let scale = record.scale().divisor();
    let value = |level: L, channel: usize| {
        let scaled = level.level() / scale;
        let centred = record.mean().map_or(scaled, |mean| scaled - mean[channel]);
        record.std().map_or(centred, |std| centred / std[channel])
    };
    let source = |channel: usize| match record.channel_order() {
        ChannelOrder::Rgb | ChannelOrder::Grey => channel,
        ChannelOrder::Bgr => channels - 1 - channel,
    };
    match record.layout() {
        Layout::Nhwc => {
            for pixel in raster.samples().chunks_exact(channels) {
                values.extend((0..channels).map(|channel| value(pixel[source(channel)], channel)));
            }
        }
        Layout::Nchw => {
            for channel in 0..channels {
                let plane = raster.samples().iter().skip(source(channel)).step_by(channels);
                values.extend(plane.map(|level| value(*level, channel)));
            }
        }
    }
}
