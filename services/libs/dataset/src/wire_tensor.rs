//! An image that came as numbers in a message, made ready for a network.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;
use gifthorse_api::v1::image_tensor::Content;

use crate::prepare::{ImageTensor, PixelArray, PixelValues, PrepareError, check_tensor, prepare_pixels};
use crate::preprocessing::Preprocessing;
use crate::wire::{self, WireError};

/// Why a tensor cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TensorError {
    /// It does not say what its numbers are.
    #[error("tensor.content is unset: say PIXELS_UINT8, PIXELS_FP32 or PREPARED_FP32")]
    Content,
    /// An axis is negative.
    #[error("tensor.shape has a negative axis, {axis}")]
    Axis {
        /// The axis.
        axis: i32,
    },
    /// A prepared tensor comes in another layout than the network's.
    #[error(
        "preprocessing_override.layout differs from the model's: a prepared tensor is fed as it is, so send \
         it in the model's layout"
    )]
    Layout,
    /// The bytes are no whole number of floats.
    #[error("tensor.data has {bytes} bytes, which is no whole number of 32-bit floats")]
    Bytes {
        /// Bytes found.
        bytes: usize,
    },
    /// The layout is none.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The numbers do not make an image of this network.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

impl Coded for TensorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Content | Self::Axis { .. } | Self::Layout => ErrorCode::InvalidField,
            Self::Bytes { .. } => ErrorCode::TensorLength,
            Self::Wire(error) => error.code(),
            Self::Prepare(error) => error.code(),
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Content => Some("tensor.content".to_owned()),
            Self::Axis { .. } => Some("tensor.shape".to_owned()),
            Self::Layout => Some("preprocessing_override.layout".to_owned()),
            Self::Bytes { .. } => None,
            Self::Wire(error) => error.field(),
            Self::Prepare(error) => error.field(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Wire(error) => error.facts(),
            Self::Prepare(error) => error.facts(),
            _ => Vec::new(),
        }
    }
}

/// One image `[H, W, C]` or `[C, H, W]` as a batch of one. `layout` is the number of the layout it was sent in,
/// 0 for the record's own.
pub fn prepare(
    message: &v1::ImageTensor,
    layout: i32,
    record: &Preprocessing,
) -> Result<ImageTensor, TensorError> {
    let content = Content::try_from(message.content).unwrap_or(Content::Unspecified);
    let layout = wire::layout(layout)?.unwrap_or(record.layout());
    let shape = batch_of_one(&message.shape)?;
    match content {
        Content::PixelsUint8 => {
            let pixels = PixelArray::new(&shape, layout, PixelValues::U8(&message.data))?;
            Ok(prepare_pixels(&pixels, record)?)
        }
        Content::PixelsFp32 => {
            let levels = singles(&message.data)?;
            let pixels = PixelArray::new(&shape, layout, PixelValues::F32(&levels))?;
            Ok(prepare_pixels(&pixels, record)?)
        }
        Content::PreparedFp32 if layout != record.layout() => Err(TensorError::Layout),
        Content::PreparedFp32 => Ok(check_tensor(&shape, singles(&message.data)?, record)?),
        Content::Unspecified => Err(TensorError::Content),
    }
}

fn batch_of_one(shape: &[i32]) -> Result<Vec<u64>, TensorError> {
    let axes = shape.iter().map(|axis| u64::try_from(*axis).map_err(|_| TensorError::Axis { axis: *axis }));
    std::iter::once(Ok(1)).chain(axes).collect()
}

fn singles(data: &[u8]) -> Result<Vec<f32>, TensorError> {
    let (values, rest) = data.as_chunks::<4>();
    if rest.is_empty() {
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    } else {
        Err(TensorError::Bytes { bytes: data.len() })
    }
}
