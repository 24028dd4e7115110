//! The overlay bank: fixed, ordered clean images that inputs are blended with or pasted onto.

use std::collections::HashMap;
use std::ops::Range;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array4, ArrayView3, ArrayView4, Axis};
use sha2::{Digest, Sha256};

use crate::digest::{ContentDigest, feed};
use crate::input::InputSpace;

/// Why images make no bank.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BankError {
    /// There are no images.
    #[error("an overlay bank needs at least one image")]
    Empty,
    /// Images are of another shape than the network takes.
    #[error(
        "the overlays have the shape {found:?}, the network takes {expected:?}: prepare them for this network"
    )]
    Shape {
        /// Shape of one input.
        expected: [usize; 3],
        /// Shape of one image given.
        found: [usize; 3],
    },
    /// There is not one label an image.
    #[error("{labels} labels for {images} overlays: give one each")]
    Labels {
        /// Images given.
        images: usize,
        /// Labels given.
        labels: usize,
    },
    /// An image holds NaN or an infinity.
    #[error("overlay {index} holds {value}: images must be finite")]
    NotFinite {
        /// Which image.
        index: usize,
        /// What it holds.
        value: f32,
    },
    /// The same image serves twice, so a score would lean on it twice.
    #[error("overlays {first} and {second} are the same image")]
    Repeated {
        /// The earlier one.
        first: usize,
        /// The later one.
        second: usize,
    },
    /// An image is to be judged or calibrated with that is itself an overlay.
    #[error(
        "image {row} is overlay {overlay} of the bank: set it aside, overlays may not be judged or \
         calibrated with"
    )]
    NotDisjoint {
        /// Which overlay.
        overlay: usize,
        /// Which of the other images.
        row: usize,
    },
}

impl Coded for BankError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shape { .. } => ErrorCode::TensorShape,
            Self::NotFinite { .. } => ErrorCode::TensorNotFinite,
            Self::Empty | Self::Labels { .. } | Self::Repeated { .. } | Self::NotDisjoint { .. } => {
                ErrorCode::DatasetInvalid
            }
        }
    }
}

/// A fixed, ordered, non-empty bank of different, finite, prepared images of known class.
///
/// The order is part of the bank: scores are sums over it, and looks are prefixes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OverlayBank {
    space: InputSpace,
    images: Array4<f32>,
    labels: Vec<usize>,
    image_digests: Vec<ContentDigest>,
    digest: ContentDigest,
}

impl OverlayBank {
    /// A bank of images `[N, ...]` of the space's shape and their N known classes.
    pub fn new(space: InputSpace, images: Array4<f32>, labels: Vec<usize>) -> Result<Self, BankError> {
        let (count, first, second, third) = images.dim();
        if count == 0 {
            return Err(BankError::Empty);
        }
        if space.shape().axes() != [first, second, third] {
            return Err(BankError::Shape { expected: space.shape().axes(), found: [first, second, third] });
        }
        if labels.len() != count {
            return Err(BankError::Labels { images: count, labels: labels.len() });
        }
        if let Some(((index, ..), value)) = images.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(BankError::NotFinite { index, value: *value });
        }
        let image_digests: Vec<_> = images.axis_iter(Axis(0)).map(ContentDigest::of_image).collect();
        let mut seen = HashMap::new();
        for (second, digest) in image_digests.iter().enumerate() {
            if let Some(first) = seen.insert(digest, second) {
                return Err(BankError::Repeated { first, second });
            }
        }
        let digest = bank_digest(&space, &images, &labels);
        let images =
            if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() };
        Ok(Self { space, images, labels, image_digests, digest })
    }

    /// How many overlays; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a bank is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The space the images live in.
    pub const fn space(&self) -> &InputSpace {
        &self.space
    }

    /// All overlays `[N, ...]`.
    pub fn images(&self) -> ArrayView4<'_, f32> {
        self.images.view()
    }

    /// Consecutive overlays.
    ///
    /// # Panics
    /// When the bank has not so many.
    pub fn images_in(&self, overlays: Range<usize>) -> ArrayView4<'_, f32> {
        self.images.slice_axis(Axis(0), overlays.into())
    }

    /// One overlay.
    ///
    /// # Panics
    /// When the bank has not so many.
    pub fn image(&self, overlay: usize) -> ArrayView3<'_, f32> {
        self.images.index_axis(Axis(0), overlay)
    }

    /// The known class of each overlay.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// SHA-256 over shape, order of axes, black and white, classes and every byte of the images, in order.
    pub const fn digest(&self) -> ContentDigest {
        self.digest
    }

    /// Refuses images `[N, ...]` of which one is, byte for byte, an overlay.
    ///
    /// Calibration, reference and evaluated images all go through here.
    pub fn check_disjoint(&self, images: ArrayView4<'_, f32>) -> Result<(), BankError> {
        let overlays: HashMap<_, _> =
            self.image_digests.iter().enumerate().map(|(overlay, digest)| (*digest, overlay)).collect();
        for (row, image) in images.axis_iter(Axis(0)).enumerate() {
            if let Some(overlay) = overlays.get(&ContentDigest::of_image(image)) {
                return Err(BankError::NotDisjoint { overlay: *overlay, row });
            }
        }
        Ok(())
    }
}

fn bank_digest(space: &InputSpace, images: &Array4<f32>, labels: &[usize]) -> ContentDigest {
    let mut hasher = Sha256::new();
    // The row axis tells the two layouts apart even where the lengths of axes do not.
    hasher.update((space.shape().layout.row_axis().index() as u64).to_le_bytes());
    for length in images.shape() {
        hasher.update((*length as u64).to_le_bytes());
    }
    for range in space.ranges() {
        hasher.update(range.black.to_le_bytes());
        hasher.update(range.white.to_le_bytes());
    }
    for label in labels {
        hasher.update((*label as u64).to_le_bytes());
    }
    for image in images.axis_iter(Axis(0)) {
        feed(&mut hasher, image);
    }
    ContentDigest::of_hasher(hasher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{ChannelRange, Layout};

    fn space() -> InputSpace {
        InputSpace::uniform(Layout::ChannelsLast, 2, 2, 1, ChannelRange { black: 0.0, white: 1.0 }).unwrap()
    }

    fn images(count: usize) -> Array4<f32> {
        Array4::from_shape_fn((count, 2, 2, 1), |(image, row, ..)| image as f32 + 0.5 * row as f32)
    }

    #[test]
    fn the_digest_covers_bytes_order_and_classes() {
        let bank = OverlayBank::new(space(), images(3), vec![0, 1, 2]).unwrap();
        assert_eq!(bank.digest(), OverlayBank::new(space(), images(3), vec![0, 1, 2]).unwrap().digest());
        assert_ne!(bank.digest(), OverlayBank::new(space(), images(3), vec![0, 2, 1]).unwrap().digest());
        let mut turned = images(3);
        turned.invert_axis(Axis(0));
        assert_ne!(bank.digest(), OverlayBank::new(space(), turned, vec![0, 1, 2]).unwrap().digest());
        let mut touched = images(3);
        touched[[2, 1, 1, 0]] = 2.500_000_2;
        assert_ne!(bank.digest(), OverlayBank::new(space(), touched, vec![0, 1, 2]).unwrap().digest());
        assert_eq!(bank.digest().to_string().len(), 64);
    }

    #[test]
    fn overlays_are_not_judged() {
        let bank = OverlayBank::new(space(), images(3), vec![0, 1, 2]).unwrap();
        let others = images(6);
        assert_eq!(bank.check_disjoint(others.slice_axis(Axis(0), (3..).into())), Ok(()));
        let refused = bank.check_disjoint(others.slice_axis(Axis(0), (2..).into()));
        assert_eq!(refused, Err(BankError::NotDisjoint { overlay: 2, row: 0 }));
    }

    #[test]
    fn nonsense_is_refused() {
        let bank = |images, labels| OverlayBank::new(space(), images, labels).unwrap_err();
        assert_eq!(bank(images(0), vec![]), BankError::Empty);
        assert_eq!(bank(images(2), vec![1]), BankError::Labels { images: 2, labels: 1 });
        let wide = Array4::zeros((1, 2, 3, 1));
        assert_eq!(bank(wide, vec![0]), BankError::Shape { expected: [2, 2, 1], found: [2, 3, 1] });
        assert_eq!(
            bank(Array4::zeros((2, 2, 2, 1)), vec![0, 1]),
            BankError::Repeated { first: 0, second: 1 }
        );
        let mut broken = images(2);
        broken[[1, 0, 0, 0]] = f32::NAN;
        assert!(matches!(bank(broken, vec![0, 1]), BankError::NotFinite { index: 1, .. }));
    }
}
