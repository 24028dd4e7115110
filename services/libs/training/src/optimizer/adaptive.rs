//! Adam: every weight by a step of its own.

use tch::{TchError, Tensor};

use super::{Moments, Movement};

/// Moves `weight` by the mean gradient over the root of the mean square, both freed of their bias to zero.
pub(super) fn apply(
    weight: &mut Tensor,
    gradient: &Tensor,
    (mean, square): (&mut Tensor, &mut Tensor),
    movement: &Movement,
    moments: Moments,
) -> Result<(), TchError> {
    let _ = mean.f_lerp_(gradient, 1.0 - moments.first)?;
    let _ = square.f_mul_scalar_(moments.second)?;
    let _ = square.f_add_(&gradient.f_square()?.f_mul_scalar(1.0 - moments.second)?)?;
    let count = i32::try_from(movement.count + 1).unwrap_or(i32::MAX);
    let bias = |kept: f64| 1.0 - kept.powi(count);
    let root = square.f_sqrt()?.f_div_scalar(bias(moments.second).sqrt())?.f_add_scalar(moments.epsilon)?;
    let step = mean.f_div(&root)?.f_mul_scalar(movement.rate / bias(moments.first))?;
    let _ = weight.f_sub_(&step)?;
    Ok(())
}
