//! The length of all gradients together, and shortening it.

use tch::{TchError, Tensor};

/// Added to the norm that is divided by, as in PyTorch.
const CUSHION: f64 = 1e-6;

/// The Euclidean norm of all tensors as one vector; zero of none.
pub(crate) fn norm(tensors: &[Tensor]) -> Result<f64, TchError> {
    if tensors.is_empty() {
        return Ok(0.0);
    }
    // One number a tensor, so that a GPU is waited for once.
    let norms = tensors.iter().map(Tensor::f_norm).collect::<Result<Vec<_>, _>>()?;
    Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])
}

/// Shortens gradients of this norm to the norm `most`, keeping their direction (Pascanu et al., ICML 2013).
pub(crate) fn clip(gradients: Vec<Tensor>, norm: f64, most: f64) -> Result<Vec<Tensor>, TchError> {
    let share = most / (norm + CUSHION);
    if share >= 1.0 {
        return Ok(gradients);
    }
    gradients.into_iter().map(|gradient| gradient.f_mul_scalar(share)).collect()
}
