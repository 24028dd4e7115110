//! Gradient descent with momentum.

use tch::{TchError, Tensor};

/// Moves `weight`; without a velocity straight down the gradient.
pub(super) fn apply(
    weight: &mut Tensor,
    gradient: &Tensor,
    velocity: Option<&mut Tensor>,
    rate: f64,
    momentum: f64,
    nesterov: bool,
) -> Result<(), TchError> {
    let direction = match velocity {
        None => gradient.shallow_clone(),
        Some(velocity) => {
            let _ = velocity.f_mul_scalar_(momentum)?;
            let _ = velocity.f_add_(gradient)?;
            if nesterov {
                gradient.f_add(&velocity.f_mul_scalar(momentum)?)?
            } else {
                velocity.shallow_clone()
            }
        }
    };
    let _ = weight.f_sub_(&direction.f_mul_scalar(rate)?)?;
    Ok(())
}
