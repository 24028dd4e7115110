//! Mean activation of each channel, in one pass over any count of images.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{ArrayView4, Axis};

use crate::input::PlaneShape;

/// Why activations cannot be averaged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ActivationError {
    /// An activation is NaN or infinite.
    #[error(
        "channel {channel} is {value} on image {image}: the activations of a sound network are finite, check \
         its weights and the preprocessing record"
    )]
    NotFinite {
        /// The channel.
        channel: usize,
        /// The image, counted from the first one of the pass.
        image: u64,
        /// What it is.
        value: f32,
    },
    /// A block of activations has another shape than the layer.
    #[error("the layer makes activations {expected:?} of each image, these are {found:?}")]
    Shape {
        /// The axes of one image's activation.
        expected: [usize; 3],
        /// The axes that came, without the batch.
        found: [usize; 3],
    },
    /// There was nothing to average.
    #[error("channels cannot be ranked without images: give at least one clean image")]
    NoImages,
}

impl Coded for ActivationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::Shape { .. } => ErrorCode::EngineFailed,
            Self::NoImages => ErrorCode::DatasetInvalid,
        }
    }
}

/// The mean activations of a layer, in the making. Takes as much memory as the layer has channels.
///
/// Sums are double precision, first over an image and then over images, so that the result depends on the
/// order of images alone and not on how they came in batches.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMeans {
    shape: PlaneShape,
    sums: Vec<f64>,
    fired: Vec<bool>,
    images: u64,
}

/// The mean activation of each channel of a layer over all images and places.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanActivations {
    means: Vec<f64>,
    fired: Vec<bool>,
    images: u64,
}

impl ChannelMeans {
    /// Nothing seen yet of a layer of this shape, in either order of axes.
    pub fn new(shape: PlaneShape) -> Self {
        Self { shape, sums: vec![0.0; shape.channels], fired: vec![false; shape.channels], images: 0 }
    }

    /// Adds the activations of N images, `[N, C, H, W]` or `[N, H, W, C]` as the layer's shape says.
    ///
    /// # Errors
    /// [`ActivationError::Shape`] and [`ActivationError::NotFinite`]; nothing of the block is counted then.
    pub fn add(&mut self, activations: ArrayView4<'_, f32>) -> Result<(), ActivationError> {
        let (_, first, second, third) = activations.dim();
        let (expected, found) = (self.shape.axes(), [first, second, third]);
        if expected != found {
            return Err(ActivationError::Shape { expected, found });
        }
        let channels = self.shape.layout.channel_axis();
        let block: Vec<Vec<(f64, bool)>> = activations
            .axis_iter(Axis(0))
            .enumerate()
            .map(|(row, image)| {
                image
                    .axis_iter(channels)
                    .enumerate()
                    .map(|(channel, plane)| {
                        let sum = plane.iter().fold(0.0, |sum, value| sum + f64::from(*value));
                        if sum.is_finite() {
                            return Ok((sum, plane.iter().any(|value| *value != 0.0)));
                        }
                        let value = plane.iter().find(|value| !value.is_finite()).copied();
                        let image = self.images + row as u64;
                        Err(ActivationError::NotFinite { channel, image, value: value.unwrap_or(f32::NAN) })
                    })
                    .collect()
            })
            .collect::<Result<_, _>>()?;
        for image in block {
            for (channel, (sum, fired)) in image.into_iter().enumerate() {
                self.sums[channel] += sum;
                self.fired[channel] |= fired;
            }
            self.images += 1;
        }
        Ok(())
    }

    /// Images seen so far.
    pub const fn images(&self) -> u64 {
        self.images
    }

    /// The means.
    ///
    /// # Errors
    /// [`ActivationError::NoImages`] when nothing was added.
    pub fn finish(self) -> Result<MeanActivations, ActivationError> {
        let values = self.images as f64 * (self.shape.height * self.shape.width) as f64;
        if values == 0.0 {
            return Err(ActivationError::NoImages);
        }
        let means = self.sums.iter().map(|sum| sum / values).collect();
        Ok(MeanActivations { means, fired: self.fired, images: self.images })
    }
}

impl MeanActivations {
    /// The means, one a channel. Finite.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Count of channels.
    pub fn channels(&self) -> usize {
        self.means.len()
    }

    /// Images they were taken over, at least one.
    pub const fn images(&self) -> u64 {
        self.images
    }

    /// The channels that were zero at every place of every image, ascending.
    pub fn dead(&self) -> Vec<usize> {
        (0..self.fired.len()).filter(|channel| !self.fired[*channel]).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;
    use proptest::prelude::*;

    use super::*;
    use crate::input::Layout;

    fn shape(layout: Layout, [channels, height, width]: [usize; 3]) -> PlaneShape {
        PlaneShape { layout, height, width, channels }
    }

    fn made_up(images: usize, [channels, height, width]: [usize; 3]) -> Array4<f32> {
        Array4::from_shape_fn((images, channels, height, width), |(n, c, h, w)| {
            ((n * 31 + c * 17 + h * 5 + w) as f32 * 0.71).sin() * 3.0
        })
    }

    #[test]
    fn means_are_taken_over_images_and_places() {
        let mut means = ChannelMeans::new(shape(Layout::ChannelsFirst, [3, 1, 2]));
        let mut block = Array4::<f32>::zeros((2, 3, 1, 2));
        block[[0, 0, 0, 0]] = 1.0;
        block[[1, 0, 0, 1]] = 2.0;
        block[[0, 2, 0, 0]] = -1.0;
        block[[0, 2, 0, 1]] = 1.0;
        means.add(block.view()).unwrap();
        let means = means.finish().unwrap();
        assert_eq!(means.means(), [0.75, 0.0, 0.0]);
        assert_eq!(means.dead(), [1], "channel 2 has mean zero but fires");
        assert_eq!(means.images(), 2);
    }

    #[test]
    fn what_is_not_finite_is_named() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut means = ChannelMeans::new(shape(Layout::ChannelsLast, [3, 2, 2]));
            let mut block = Array4::<f32>::zeros((4, 2, 2, 3));
            means.add(block.view()).unwrap();
            block[[2, 1, 0, 1]] = bad;
            let refused = means.add(block.view()).unwrap_err();
            let ActivationError::NotFinite { channel, image, value } = &refused else { panic!("{refused}") };
            assert_eq!((*channel, *image, value.to_bits()), (1, 6, bad.to_bits()));
            assert_eq!(refused.code(), ErrorCode::ModelNotFinite);
            assert_eq!(means.images(), 4, "the block is not counted");
        }
    }

    #[test]
    fn blocks_of_another_shape_and_no_blocks_are_refused() {
        let mut means = ChannelMeans::new(shape(Layout::ChannelsFirst, [3, 2, 2]));
        let refused = means.add(Array4::zeros((1, 2, 2, 3)).view()).unwrap_err();
        assert_eq!(refused, ActivationError::Shape { expected: [3, 2, 2], found: [2, 2, 3] });
        assert_eq!(means.finish(), Err(ActivationError::NoImages));
    }

    proptest! {
        #[test]
        fn batches_and_orders_of_axes_make_no_difference(images in 1_usize..12, batch in 1_usize..12) {
            let sides = [4, 3, 2];
            let all = made_up(images, sides);
            let mut whole = ChannelMeans::new(shape(Layout::ChannelsFirst, sides));
            whole.add(all.view()).unwrap();
            let mut pieces = ChannelMeans::new(shape(Layout::ChannelsLast, sides));
            for start in (0..images).step_by(batch) {
                let piece = all.slice_axis(Axis(0), (start..(start + batch).min(images)).into());
                pieces.add(piece.permuted_axes([0, 2, 3, 1])).unwrap();
            }
            prop_assert_eq!(whole.finish().unwrap(), pieces.finish().unwrap());
        }
    }
}
