//! Blocks of images on their way from a foreign array to the canonical form.

use std::path::Path;

use super::axes::ImageAxes;
use super::{ReadOptions, ValueRange};
use crate::canonical::{CanonicalWriter, Dtype, Summary};
use crate::error::DatasetError;
use crate::preprocessing::Layout;

/// Bytes of a block of images as they lie in the file: what is in memory at once.
const BLOCK_BYTES: usize = 8 << 20;

/// Takes blocks of whole images as the file has them and stores them as the canonical form wants them.
pub(super) struct BlockWriter {
    writer: CanonicalWriter,
    axes: ImageAxes,
    swaps: bool,
    range: ValueRange,
}

impl BlockWriter {
    /// A data set of these images in `target`. Whole numbers must be levels; floats need the range said.
    pub(super) fn create(
        target: &Path,
        axes: ImageAxes,
        dtype: Dtype,
        options: &ReadOptions,
    ) -> Result<Self, DatasetError> {
        axes.check(dtype, &options.limits)?;
        let range = match (dtype, options.arrays.value_range) {
            (_, Some(ValueRange::Levels)) | (Dtype::Uint8, None) => ValueRange::Levels,
            (Dtype::Float32, Some(ValueRange::Unit)) => ValueRange::Unit,
            (Dtype::Uint8, Some(ValueRange::Unit)) => {
                let fault = "is unit, but the images are whole numbers: leave it out".to_owned();
                return Err(DatasetError::Option { option: "arrays.value_range", fault });
            }
            (Dtype::Float32, None) => {
                let question = "its images are floats: say with arrays.value_range whether they are levels \
                                (0 to 255) or unit (0 to 1)";
                return Err(DatasetError::Ambiguous { question: question.to_owned() });
            }
        };
        let swaps = options.swaps_colours()?;
        Ok(Self { writer: CanonicalWriter::create(target, axes.size, dtype)?, axes, swaps, range })
    }

    /// Appends whole images of levels 0..255 in the file's layout.
    pub(super) fn push_u8(&mut self, levels: &[u8]) -> Result<(), DatasetError> {
        self.writer.push_u8(&arranged(levels, &self.axes, self.swaps))
    }

    /// Appends whole images of whole numbers in the file's layout, each of which must be a level.
    pub(super) fn push_whole(&mut self, numbers: impl Iterator<Item = i128>) -> Result<(), DatasetError> {
        let mut levels = Vec::new();
        for number in numbers {
            let level =
                u8::try_from(number).map_err(|_| self.no_level(levels.len(), number as f64, "0 to 255"))?;
            levels.push(level);
        }
        self.push_u8(&levels)
    }

    /// Appends whole images of floats in the file's layout and range, each of which must be in it.
    pub(super) fn push_floats(&mut self, numbers: impl Iterator<Item = f64>) -> Result<(), DatasetError> {
        let (max, range, factor) = match self.range {
            ValueRange::Levels => (255.0, "0 to 255 (arrays.value_range is levels)", 1.0),
            ValueRange::Unit => (1.0, "0 to 1 (arrays.value_range is unit)", 255.0),
        };
        let mut levels = Vec::new();
        for number in numbers {
            if !(0.0..=max).contains(&number) {
                return Err(self.no_level(levels.len(), number, range));
            }
            levels.push((number * factor) as f32);
        }
        self.writer.push_f32(&arranged(&levels, &self.axes, self.swaps))
    }

    /// Ends the data set.
    pub(super) fn finish(self, labels: &[i64], groups: Option<&[i64]>) -> Result<Summary, DatasetError> {
        self.writer.finish(labels, groups)
    }

    fn no_level(&self, index: usize, value: f64, range: &'static str) -> DatasetError {
        let row = self.writer.count() + (index / self.axes.samples()) as u64;
        DatasetError::Level { row, value, range }
    }
}

/// How many images of `samples` elements of `element_bytes` make a block: a multiple of `together`, the
/// number the file stores in one compressed piece, as far as memory allows.
pub(super) fn images_in_block(samples: usize, element_bytes: usize, together: usize) -> usize {
    let fitting = (BLOCK_BYTES / (samples * element_bytes).max(1)).max(1);
    if together > 0 && fitting > together { fitting - fitting % together } else { fitting }
}

/// The images with their channels together and red before blue.
fn arranged<T: Copy>(block: &[T], axes: &ImageAxes, swaps: bool) -> Vec<T> {
    let channels = axes.size.channels as usize;
    let pixels = axes.samples() / channels;
    let source = |channel: usize| if swaps && channels >= 3 && channel < 3 { 2 - channel } else { channel };
    let mut arranged = Vec::with_capacity(block.len());
    for image in block.chunks_exact(axes.samples()) {
        for pixel in 0..pixels {
            arranged.extend((0..channels).map(|channel| match axes.layout {
                Layout::Nhwc => image[pixel * channels + source(channel)],
                Layout::Nchw => image[source(channel) * pixels + pixel],
            }));
        }
    }
    arranged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(shape: &[u64]) -> ImageAxes {
        ImageAxes::of(shape, None).unwrap()
    }

    #[test]
    fn channels_come_together_and_swap_when_asked() {
        let planes = [1, 2, 11, 12, 21, 22];
        let first = axes(&[1, 3, 1, 2]);
        assert_eq!(arranged(&planes, &first, false), [1, 11, 21, 2, 12, 22]);
        assert_eq!(arranged(&planes, &first, true), [21, 11, 1, 22, 12, 2]);
        let last = axes(&[2, 2, 2, 4]);
        let pixels: Vec<u8> = (0..32).collect();
        assert_eq!(arranged(&pixels, &last, false), pixels);
        assert_eq!(arranged(&pixels[..16], &last, true)[..8], [2, 1, 0, 3, 6, 5, 4, 7], "alpha stays last");
        assert_eq!(arranged(&[7, 8], &axes(&[1, 1, 2]), true), [7, 8]);
    }

    #[test]
    fn blocks_hold_whole_pieces_where_they_fit() {
        assert_eq!(images_in_block(1 << 20, 1, 0), 8);
        assert_eq!(images_in_block(1 << 20, 1, 3), 6);
        assert_eq!(images_in_block(1 << 20, 1, 100), 8);
        assert_eq!(images_in_block(1 << 30, 8, 1), 1);
    }
}
