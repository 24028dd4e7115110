//! Which side of an image array is which.

use super::ReadLimits;
use crate::canonical::{Dtype, ImageSize};
use crate::error::DatasetError;
use crate::preprocessing::{Layout, MAX_SIDE};

/// The sides of an image array, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageAxes {
    /// Images.
    pub(super) count: u64,
    /// The sides of each.
    pub(super) size: ImageSize,
    /// Whether the channels come before rows and columns.
    pub(super) layout: Layout,
}

impl ImageAxes {
    /// Understands `(N, H, W)`, `(N, H, W, C)` and `(N, C, H, W)` with 1, 3 or 4 channels. Where both the
    /// second and the last side could be the channels, `layout` must say which are.
    pub(super) fn of(shape: &[u64], layout: Option<Layout>) -> Result<Self, DatasetError> {
        let may_be_channels = |side: u64| matches!(side, 1 | 3 | 4);
        let axes = match *shape {
            [count, height, width] => {
                let size = ImageSize { height, width, channels: 1 };
                Self { count, size, layout: Layout::Nhwc }
            }
            [count, second, third, last] => {
                let layout = match (layout, may_be_channels(second), may_be_channels(last)) {
                    (Some(Layout::Nchw), true, _) | (None, true, false) => Layout::Nchw,
                    (Some(Layout::Nhwc), _, true) | (None, false, true) => Layout::Nhwc,
                    (None, true, true) => {
                        let question = format!(
                            "images of shape {shape:?} may be (N, C, H, W) or (N, H, W, C): \
                             say which with arrays.layout"
                        );
                        return Err(DatasetError::Ambiguous { question });
                    }
                    _ => return Err(wrong(shape)),
                };
                let size = match layout {
                    Layout::Nchw => ImageSize { height: third, width: last, channels: second },
                    Layout::Nhwc => ImageSize { height: second, width: third, channels: last },
                };
                Self { count, size, layout }
            }
            _ => return Err(wrong(shape)),
        };
        let ImageSize { height, width, .. } = axes.size;
        let sides = 1..=u64::from(MAX_SIDE);
        if axes.count == 0 || !sides.contains(&height) || !sides.contains(&width) {
            return Err(wrong(shape));
        }
        Ok(axes)
    }

    /// Samples of one image; its sides have been checked to be small enough to multiply.
    pub(super) fn samples(&self) -> usize {
        (self.size.height * self.size.width * self.size.channels) as usize
    }

    /// Refuses what is larger than the limits, before any of it is read.
    pub(super) fn check(&self, dtype: Dtype, limits: &ReadLimits) -> Result<(), DatasetError> {
        check_size(self.count, self.size, dtype, limits)
    }
}

/// Refuses data sets larger than the limits.
pub(super) fn check_size(
    count: u64,
    size: ImageSize,
    dtype: Dtype,
    limits: &ReadLimits,
) -> Result<(), DatasetError> {
    if count > limits.max_images {
        let (what, limit) = ("the number of images", limits.max_images);
        return Err(DatasetError::TooLarge { what, found: count, limit });
    }
    let image = size.samples().unwrap_or(u64::MAX).saturating_mul(dtype.bytes() as u64);
    let bytes = image.saturating_mul(count);
    if bytes > limits.max_bytes {
        let (what, limit) = ("the size of all images in bytes", limits.max_bytes);
        return Err(DatasetError::TooLarge { what, found: bytes, limit });
    }
    Ok(())
}

fn wrong(shape: &[u64]) -> DatasetError {
    DatasetError::Inconsistent {
        fault: format!(
            "images of shape {shape:?} are neither (N, H, W), (N, H, W, C) nor (N, C, H, W) with 1, 3 or 4 \
             channels and sides of 1 to {MAX_SIDE} pixels"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(shape: &[u64], layout: Option<Layout>) -> Option<(u64, u64, u64, Layout)> {
        let axes = ImageAxes::of(shape, layout).ok()?;
        Some((axes.size.height, axes.size.width, axes.size.channels, axes.layout))
    }

    #[test]
    fn channels_are_found_by_their_number() {
        let nhwc = Some((55, 47, 3, Layout::Nhwc));
        assert_eq!(understood(&[149, 3, 55, 47], None), Some((55, 47, 3, Layout::Nchw)));
        assert_eq!(understood(&[149, 55, 47, 3], None), nhwc);
        assert_eq!(understood(&[149, 55, 47, 3], Some(Layout::Nhwc)), nhwc);
        assert_eq!(understood(&[149, 55, 47, 3], Some(Layout::Nchw)), None);
        assert_eq!(understood(&[10, 28, 28], None), Some((28, 28, 1, Layout::Nhwc)));
        for bad in [&[][..], &[3], &[10, 5, 28, 28], &[0, 3, 9, 9], &[1, 3, 0, 9], &[1, 3, 9000, 9]] {
            assert_eq!(understood(bad, None), None, "{bad:?}");
        }
        assert_eq!(understood(&[1, u64::MAX, u64::MAX, 3], None), None);
    }

    #[test]
    fn doubt_is_asked_about_and_an_answer_taken() {
        let doubtful = [10, 3, 32, 4];
        assert!(matches!(ImageAxes::of(&doubtful, None), Err(DatasetError::Ambiguous { .. })));
        assert_eq!(understood(&doubtful, Some(Layout::Nchw)), Some((32, 4, 3, Layout::Nchw)));
        assert_eq!(understood(&doubtful, Some(Layout::Nhwc)), Some((3, 32, 4, Layout::Nhwc)));
    }
}
