//! How a Keras weight is laid out in ONNX, and back.
//!
//! The initializer of a weight is called `LAYER/ROLE:0` (`MODEL/LAYER/ROLE:0` within a model) and holds the
//! same numbers in a fixed order of axes:
//!
//! | weight | Keras | ONNX |
//! |---|---|---|
//! | `kernel` of `Conv2D`, `pointwise_kernel` | `[kh, kw, in, out]` | `[out, in, kh, kw]` |
//! | `depthwise_kernel` | `[kh, kw, in, multiplier]` | `[in * multiplier, 1, kh, kw]` |
//! | `alpha` of `PReLU` on a channels-last picture | `[h, w, c]` | `[c, h, w]` |
//! | every other (`kernel` of `Dense` is `[in, out]`) | as it is | as it is |

use ndarray::{ArrayD, ArrayView, IxDyn, ShapeError};

/// The order of a weight's axes in ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// As in Keras.
    Keras,
    /// A convolution's kernel.
    Kernel,
    /// A depthwise convolution's kernel; its last two Keras axes become one.
    Depthwise,
    /// The last axis comes first.
    ChannelsFirst,
}

impl Storage {
    /// For each ONNX axis the Keras axis, before any axes are joined.
    fn permutation(self, rank: usize) -> Vec<usize> {
        match self {
            Self::Keras => (0..rank).collect(),
            Self::Kernel => vec![3, 2, 0, 1],
            Self::Depthwise => vec![2, 3, 0, 1],
            Self::ChannelsFirst => std::iter::once(rank - 1).chain(0..rank - 1).collect(),
        }
    }

    /// Reorders a Keras weight of `shape` for ONNX.
    pub(super) fn to_onnx(self, shape: &[usize], values: Vec<f32>) -> Result<ArrayD<f32>, ShapeError> {
        let keras = ArrayD::from_shape_vec(IxDyn(shape), values)?;
        let onnx = keras.permuted_axes(IxDyn(&self.permutation(shape.len())));
        let onnx = onnx.as_standard_layout().into_owned();
        match (self, shape) {
            (Self::Depthwise, [height, width, channels, multiplier]) => {
                onnx.into_shape_with_order(IxDyn(&[channels * multiplier, 1, *height, *width]))
            }
            _ => Ok(onnx),
        }
    }

    /// Reorders the ONNX weight for Keras, whose shape is `shape`.
    pub(super) fn to_keras(self, shape: &[usize], values: &[f32]) -> Result<ArrayD<f32>, ShapeError> {
        let permutation = self.permutation(shape.len());
        let permuted: Vec<usize> = permutation.iter().map(|axis| shape[*axis]).collect();
        let onnx = ArrayView::from_shape(IxDyn(&permuted), values)?;
        let mut inverse = vec![0; permutation.len()];
        for (onnx_axis, keras_axis) in permutation.iter().enumerate() {
            inverse[*keras_axis] = onnx_axis;
        }
        Ok(onnx.permuted_axes(IxDyn(&inverse)).as_standard_layout().into_owned())
    }
}

/// A weight as it was stored in the ONNX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    /// `LAYER`, or `MODEL/LAYER` within a model.
    pub(super) path: String,
    /// `kernel`, `bias`, ...
    pub(super) role: &'static str,
    /// Its shape in Keras.
    pub(super) shape: Vec<usize>,
    /// Its order of axes in ONNX.
    pub(super) storage: Storage,
    /// Name of its initializer.
    pub(super) initializer: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_storage_is_reversible_and_has_the_documented_axes() {
        for (storage, shape, onnx_shape) in [
            (Storage::Keras, vec![5, 7], vec![5, 7]),
            (Storage::Kernel, vec![2, 3, 4, 5], vec![5, 4, 2, 3]),
            (Storage::Depthwise, vec![2, 3, 4, 5], vec![20, 1, 2, 3]),
            (Storage::ChannelsFirst, vec![2, 3, 4], vec![4, 2, 3]),
        ] {
            let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
            let onnx = storage.to_onnx(&shape, values.clone()).unwrap();
            assert_eq!(onnx.shape(), onnx_shape, "{storage:?}");
            let keras = storage.to_keras(&shape, onnx.as_slice().unwrap()).unwrap();
            assert_eq!(keras.shape(), shape, "{storage:?}");
            assert_eq!(keras.as_slice().unwrap(), values, "{storage:?}");
        }
    }

    #[test]
    fn a_depthwise_filter_keeps_its_channel_together() {
        // [1, 1, in 2, multiplier 3]: filter m of channel c is output c * 3 + m.
        let onnx = Storage::Depthwise.to_onnx(&[1, 1, 2, 3], vec![0., 1., 2., 10., 11., 12.]).unwrap();
        assert_eq!(onnx.as_slice().unwrap(), [0., 1., 2., 10., 11., 12.]);
    }
}
