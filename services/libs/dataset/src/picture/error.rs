//! Why bytes are not a picture we take.

use std::io;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use image::ImageError;

use super::PictureFormat;

/// Why bytes are not a picture we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// There are no bytes.
    #[error("the picture is empty: 0 bytes")]
    Empty,
    /// The signature is of no format we read.
    #[error("the picture is in no format we read (it begins with {beginning}): send PNG, JPEG, BMP or WebP")]
    UnknownFormat {
        /// The first bytes in hexadecimal.
        beginning: String,
    },
    /// The bytes end before the picture does.
    #[error("the {format} picture is cut off: its bytes end before its last row")]
    Truncated {
        /// Its format.
        format: PictureFormat,
    },
    /// The bytes contradict the format.
    #[error("the {format} picture is damaged: {fault}")]
    Damaged {
        /// Its format.
        format: PictureFormat,
        /// What the decoder found.
        fault: String,
    },
    /// The format has more kinds than we read.
    #[error("the {format} picture is of a kind we do not read: {fault}")]
    UnsupportedKind {
        /// Its format.
        format: PictureFormat,
        /// Which kind.
        fault: String,
    },
    /// Too many encoded bytes.
    #[error("the picture has {found} bytes, the limit is {limit}")]
    TooManyBytes {
        /// How many there are.
        found: u64,
        /// How many may be.
        limit: u64,
    },
    /// Too many pixels.
    #[error("the picture has {height} x {width} pixels, the limit is {limit} in all")]
    TooManyPixels {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// How many pixels may be.
        limit: u64,
    },
    /// The decoder would need too much memory.
    #[error("the {format} picture needs more memory to decode than the limit on pixels allows")]
    TooMuchMemory {
        /// Its format.
        format: PictureFormat,
    },
}

impl PictureError {
    pub(super) fn unknown(bytes: &[u8]) -> Self {
        Self::UnknownFormat { beginning: hex::encode(&bytes[..bytes.len().min(8)]) }
    }

    pub(super) fn decoding(format: PictureFormat, error: ImageError) -> Self {
        match error {
            ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Truncated { format }
            }
            ImageError::Limits(_) => Self::TooMuchMemory { format },
            ImageError::Unsupported(error) => Self::UnsupportedKind { format, fault: error.to_string() },
            other => Self::Damaged { format, fault: other.to_string() },
        }
    }
}

impl Coded for PictureError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::UnknownFormat { .. } | Self::Truncated { .. } | Self::Damaged { .. } => {
                ErrorCode::ImageInvalid
            }
            Self::UnsupportedKind { .. } => ErrorCode::ImageFormat,
            Self::TooManyBytes { .. } | Self::TooManyPixels { .. } | Self::TooMuchMemory { .. } => {
                ErrorCode::ImageTooLarge
            }
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::TooManyBytes { found, limit } => {
                vec![("bytesFound", found.to_string()), ("bytesLimit", limit.to_string())]
            }
            Self::TooManyPixels { height, width, limit } => vec![
                ("heightFound", height.to_string()),
                ("widthFound", width.to_string()),
                ("pixelsLimit", limit.to_string()),
            ],
            Self::Empty
            | Self::UnknownFormat { .. }
            | Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::UnsupportedKind { .. }
            | Self::TooMuchMemory { .. } => Vec::new(),
        }
    }
}
