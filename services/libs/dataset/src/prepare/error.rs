//! Why an image cannot be prepared for a network.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why an image cannot be prepared for a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// The picture has alpha and the record refuses it.
    #[error(
        "the picture has an alpha channel, which this model's preprocessing refuses: \
         send it without, or register the model with an alpha rule"
    )]
    Alpha,
    /// The size is not the network's and there is no resize rule.
    #[error(
        "the picture has {found_height} x {found_width} pixels (height x width), the model takes \
         {height} x {width}: send that size, or register the model with a resize rule"
    )]
    Size {
        /// Rows expected.
        height: usize,
        /// Columns expected.
        width: usize,
        /// Rows found.
        found_height: usize,
        /// Columns found.
        found_width: usize,
    },
    /// The array has the wrong sides.
    #[error("the tensor has shape {found:?}, expected {expected}")]
    Shape {
        /// The sides expected.
        expected: String,
        /// The sides found.
        found: Vec<u64>,
    },
    /// The content is longer or shorter than the shape says.
    #[error("the tensor has {found} values, its shape says {expected}")]
    Length {
        /// Values by the shape.
        expected: u64,
        /// Values there.
        found: u64,
    },
    /// A value is NaN or infinite.
    #[error("the tensor holds {value} at element {index}: send finite values")]
    NotFinite {
        /// Flat index of the first such value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A pixel level is outside 0..255.
    #[error("the tensor holds {value} at element {index}: pixel levels are 0 to 255")]
    Level {
        /// Flat index of the first such value.
        index: usize,
        /// The value.
        value: f32,
    },
}

impl Coded for PrepareError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Alpha => ErrorCode::ImageFormat,
            Self::Size { .. } => ErrorCode::ImageSize,
            Self::Shape { .. } => ErrorCode::TensorShape,
            Self::Length { .. } => ErrorCode::TensorLength,
            Self::NotFinite { .. } => ErrorCode::TensorNotFinite,
            Self::Level { .. } => ErrorCode::InvalidField,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Alpha => Vec::new(),
            Self::Size { height, width, found_height, found_width } => vec![
                ("sizeExpected", format!("{height}x{width}")),
                ("sizeFound", format!("{found_height}x{found_width}")),
            ],
            Self::Shape { expected, found } => {
                vec![("shapeExpected", expected.clone()), ("shapeFound", format!("{found:?}"))]
            }
            Self::Length { expected, found } => {
                vec![("lengthExpected", expected.to_string()), ("lengthFound", found.to_string())]
            }
            Self::NotFinite { index, .. } | Self::Level { index, .. } => {
                vec![("element", index.to_string())]
            }
        }
    }
}
