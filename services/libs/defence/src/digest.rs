//! SHA-256 over the bytes of images.

use std::fmt;

use ndarray::ArrayView3;
use sha2::{Digest, Sha256};

/// A SHA-256 digest; as text 64 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    /// The digest of one prepared image: of its elements as little-endian single-precision numbers, in the
    /// order of its axes.
    pub fn of_image(image: ArrayView3<'_, f32>) -> Self {
        let mut hasher = Sha256::new();
        feed(&mut hasher, image);
        Self::of_hasher(hasher)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_hasher(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

pub(crate) fn feed(hasher: &mut Sha256, image: ArrayView3<'_, f32>) {
    let bytes: Vec<u8> = image.iter().flat_map(|level| level.to_le_bytes()).collect();
    hasher.update(&bytes);
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ContentDigest({self})")
    }
}
