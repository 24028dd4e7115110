//! Arrays of pixel levels that come as numbers instead of encoded pictures.

use super::error::PrepareError;
use super::level::Level;
use super::raster::Raster;
use crate::preprocessing::Layout;

/// Levels of an array, row-major.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PixelValues<'a> {
    /// 0 to 255.
    U8(&'a [u8]),
    /// 0.0 to 255.0.
    F32(&'a [f32]),
}

/// `[N, H, W, C]` or `[N, C, H, W]` pixel levels 0..255 with the channels red, green, blue (3), the same
/// with alpha (4), or grey (1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelArray<'a> {
    count: usize,
    height: usize,
    width: usize,
    channels: usize,
    layout: Layout,
    values: PixelValues<'a>,
}

impl<'a> PixelArray<'a> {
    /// The array, if its shape has four sides none of which is empty and 1, 3 or 4 channels, as many values
    /// as that makes, and every value is a level.
    pub fn new(shape: &[u64], layout: Layout, values: PixelValues<'a>) -> Result<Self, PrepareError> {
        let sides = match (layout, shape) {
            (Layout::Nhwc, &[count, height, width, channels])
            | (Layout::Nchw, &[count, channels, height, width]) => Some([count, height, width, channels]),
            _ => None,
        };
        let wrong = || PrepareError::Shape {
            expected: format!("{} with no empty side and C = 1, 3 or 4", axes(layout)),
            found: shape.to_vec(),
        };
        let sides = sides.filter(|sides| !sides.contains(&0) && matches!(sides[3], 1 | 3 | 4));
        let [count, height, width, channels] = sides.ok_or_else(wrong)?;
        let elements = elements(shape)?;
        let found = match values {
            PixelValues::U8(levels) => levels.len() as u64,
            PixelValues::F32(levels) => levels.len() as u64,
        };
        if found != elements {
            return Err(PrepareError::Length { expected: elements, found });
        }
        if let PixelValues::F32(levels) = values {
            check_levels(levels)?;
        }
        let [count, height, width, channels] =
            [count as usize, height as usize, width as usize, channels as usize];
        Ok(Self { count, height, width, channels, layout, values })
    }

    /// How many images, N.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The levels.
    pub const fn values(&self) -> PixelValues<'a> {
        self.values
    }

    /// Image `index` of `levels`, which are this array's values, with its channels together.
    pub(super) fn raster<L: Level>(&self, levels: &[L], index: usize) -> Raster<L> {
        let (pixels, channels) = (self.height * self.width, self.channels);
        let image = &levels[index * pixels * channels..][..pixels * channels];
        let samples = match self.layout {
            Layout::Nhwc => image.to_vec(),
            Layout::Nchw => (0..pixels)
                .flat_map(|pixel| (0..channels).map(move |channel| image[channel * pixels + pixel]))
                .collect(),
        };
        Raster { height: self.height, width: self.width, channels, samples }
    }
}

const fn axes(layout: Layout) -> &'static str {
    match layout {
        Layout::Nhwc => "[N, H, W, C]",
        Layout::Nchw => "[N, C, H, W]",
    }
}

/// Values an array of this shape has.
pub(super) fn elements(shape: &[u64]) -> Result<u64, PrepareError> {
    let product = shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side));
    product.ok_or_else(|| PrepareError::Shape {
        expected: "sides whose product can be counted".to_owned(),
        found: shape.to_vec(),
    })
}

fn check_levels(levels: &[f32]) -> Result<(), PrepareError> {
    match levels.iter().position(|level| !(0.0..=255.0).contains(level)) {
        Some(index) if levels[index].is_finite() => Err(PrepareError::Level { index, value: levels[index] }),
        Some(index) => Err(PrepareError::NotFinite { index, value: levels[index] }),
        None => Ok(()),
    }
}
