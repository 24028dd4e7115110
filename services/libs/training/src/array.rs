//! Between arrays and tensors.

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use tch::{Device, Kind, TchError, Tensor};

/// A tensor of the same shape.
pub(crate) fn to_tensor(
    array: &ArrayViewD<'_, f32>,
    (kind, device): (Kind, Device),
) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = array.shape().iter().map(|size| *size as i64).collect();
    let tensor = match array.as_slice() {
        Some(values) => Tensor::f_from_slice(values)?,
        None => Tensor::f_from_slice(&array.iter().copied().collect::<Vec<_>>())?,
    };
    tensor.f_reshape(shape)?.f_to_kind(kind)?.f_to_device(device)
}

/// The elements of a tensor in row-major order, rounded to single precision.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let tensor = tensor.f_detach()?.f_to_kind(Kind::Float)?;
    let mut values = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

/// An array of the same shape.
pub(crate) fn to_array(tensor: &Tensor) -> Result<ArrayD<f32>, TchError> {
    let shape: Vec<usize> = tensor.size().iter().map(|size| *size as usize).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values(tensor)?).map_err(|error| TchError::Shape(error.to_string()))
}

/// The same tensor with its channels, the second of four axes, next to each other in memory: libtorch then
/// chooses kernels that are up to twice as fast on a processor. Others are returned as they are.
pub(crate) fn channels_last(tensor: &Tensor) -> Result<Tensor, TchError> {
    if tensor.dim() != 4 {
        return Ok(tensor.shallow_clone());
    }
    tensor.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}
