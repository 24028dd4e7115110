//! Looking for flat valleys: the gradient is taken where the loss is worst nearby.
//!
//! Adaptive sharpness-aware minimisation (Kwon et al., ICML 2021) as FT-SAM uses it to fine-tune networks with
//! a backdoor (Zhu et al., ICCV 2023): with `g` the gradient and `T = diag |w|`, weights are shaken by
//! `rho T^2 g / ||T g||`, the gradient there moves the weights from where they were.

use tch::{TchError, Tensor};

use super::norm;

/// Keeps the quotient finite where all gradients vanish.
const CUSHION: f64 = 1e-12;

/// Weights away from where they were, until they are put back.
#[derive(Debug)]
pub(crate) struct Ascent {
    /// The weights and what they were.
    moved: Vec<(Tensor, Tensor)>,
}

impl Ascent {
    /// Shakes the weights by the radius `rho`, upwards.
    pub(crate) fn climb(weights: &[Tensor], gradients: &[Tensor], rho: f64) -> Result<Self, TchError> {
        let _no_gradients = tch::no_grad_guard();
        let scaled = weights.iter().zip(gradients).map(|(weight, gradient)| weight.f_abs()?.f_mul(gradient));
        let length = norm(&scaled.collect::<Result<Vec<_>, _>>()?)?;
        let share = rho / (length + CUSHION);
        let mut ascent = Self { moved: Vec::with_capacity(weights.len()) };
        for (weight, gradient) in weights.iter().zip(gradients) {
            let mut weight = weight.f_detach()?;
            // A copy with the same place for every element.
            let before = weight.f_mul_scalar(1.0)?;
            let step = weight.f_square()?.f_mul(gradient)?.f_mul_scalar(share)?;
            let moved = weight.f_add_(&step);
            ascent.moved.push((weight, before));
            if let Err(error) = moved {
                ascent.descend()?;
                return Err(error);
            }
        }
        Ok(ascent)
    }

    /// Puts every weight back, to the bit.
    pub(crate) fn descend(self) -> Result<(), TchError> {
        let _no_gradients = tch::no_grad_guard();
        self.moved.into_iter().try_for_each(|(mut weight, before)| weight.f_copy_(&before))
    }
}
