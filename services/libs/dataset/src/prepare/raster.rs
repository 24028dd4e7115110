//! One image on its way to the network.

use super::level::Level;
use crate::picture::Picture;

/// One image, `[H, W, C]` with the channels together; C is 1 grey, 2 grey and alpha, 3 colour, 4 colour
/// and alpha.
#[derive(Debug, Clone)]
pub(crate) struct Raster<L> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) samples: Vec<L>,
}

impl<L: Level> Raster<L> {
    /// The samples, `[H, W, C]`.
    pub(crate) fn samples(&self) -> &[L] {
        &self.samples
    }

    /// The samples, `[H, W, C]`.
    #[cfg(any(test, feature = "foreign"))]
    pub(crate) fn into_samples(self) -> Vec<L> {
        self.samples
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }
}

impl Raster<u8> {
    /// The picture's pixels as stored.
    pub(crate) fn of_picture(picture: &Picture) -> Self {
        Self {
            height: picture.height(),
            width: picture.width(),
            channels: picture.format().channels(),
            samples: picture.samples().to_vec(),
        }
    }
}
