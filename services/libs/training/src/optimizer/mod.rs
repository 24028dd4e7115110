//! From gradients to other weights.

mod adaptive;
mod clipping;
mod momentum;
mod schedule;
mod sharpness;

use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

pub(crate) use clipping::{clip, norm};
pub use schedule::Schedule;
pub(crate) use sharpness::Ascent;

use crate::error::TrainingError;

/// How a gradient moves the weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum, as in PyTorch: `v = momentum v + g`, `w = w - rate v`.
    Sgd {
        /// Share of the last movement that is kept, from 0 to below 1.
        momentum: f64,
        /// Whether to look ahead along the movement (Nesterov).
        nesterov: bool,
    },
    /// Adam (Kingma & Ba, ICLR 2015); weight decay is added to the gradient.
    Adam(Moments),
    /// Adam with weight decay apart from the gradient (Loshchilov & Hutter, ICLR 2019).
    AdamW(Moments),
}

/// Settings of Adam.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moments {
    /// Share of the mean gradient that is kept.
    pub first: f64,
    /// Share of the mean squared gradient that is kept.
    pub second: f64,
    /// Added to the root of the squares, so that it is never zero.
    pub epsilon: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { first: 0.9, second: 0.999, epsilon: 1e-8 }
    }
}

impl Optimizer {
    /// Tensors of state for each trained tensor.
    fn moments(self) -> usize {
        match self {
            Self::Sgd { momentum, .. } if momentum <= 0.0 => 0,
            Self::Sgd { .. } => 1,
            Self::Adam(_) | Self::AdamW(_) => 2,
        }
    }

    /// # Errors
    /// [`TrainingError::Setting`].
    pub(crate) fn check(self) -> Result<(), TrainingError> {
        let share = |field, value: f64| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            Err(TrainingError::Setting { field, found: value.to_string(), needed: "from 0 to below 1" })
        };
        match self {
            Self::Sgd { momentum, .. } => share("momentum", momentum),
            Self::Adam(moments) | Self::AdamW(moments) => {
                share("first moment", moments.first)?;
                share("second moment", moments.second)?;
                if moments.epsilon > 0.0 && moments.epsilon.is_finite() {
                    return Ok(());
                }
                let found = moments.epsilon.to_string();
                Err(TrainingError::Setting { field: "epsilon", found, needed: "positive" })
            }
        }
    }
}

/// What an optimiser remembers of one tensor.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) moments: Vec<Tensor>,
}

impl Memory {
    /// Of a tensor that was never moved.
    pub(crate) fn new(optimizer: Optimizer, weight: &Tensor) -> Result<Self, TchError> {
        let _no_gradients = tch::no_grad_guard();
        let zeros = || weight.f_detach()?.f_zeros_like();
        Ok(Self { moments: (0..optimizer.moments()).map(|_| zeros()).collect::<Result<_, _>>()? })
    }
}

/// One movement of all weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Movement {
    pub(crate) optimizer: Optimizer,
    pub(crate) rate: f64,
    /// Movements before this one.
    pub(crate) count: u64,
}

impl Movement {
    /// Moves one weight, which weight decay pulls towards zero by `decay`.
    pub(crate) fn apply(
        &self,
        weight: &Tensor,
        gradient: &Tensor,
        decay: f64,
        memory: &mut Memory,
    ) -> Result<(), TchError> {
        let mut weight = weight.f_detach()?;
        match (self.optimizer, memory.moments.as_mut_slice()) {
            (Optimizer::Sgd { momentum, nesterov }, velocity) => {
                let gradient = decayed(&weight, gradient, decay)?;
                momentum::apply(&mut weight, &gradient, velocity.first_mut(), self.rate, momentum, nesterov)
            }
            (Optimizer::Adam(moments), [mean, square]) => {
                let gradient = decayed(&weight, gradient, decay)?;
                adaptive::apply(&mut weight, &gradient, (mean, square), self, moments)
            }
            (Optimizer::AdamW(moments), [mean, square]) => {
                if decay > 0.0 {
                    let _ = weight.f_mul_scalar_(1.0 - self.rate * decay)?;
                }
                adaptive::apply(&mut weight, gradient, (mean, square), self, moments)
            }
            (Optimizer::Adam(_) | Optimizer::AdamW(_), _) => {
                Err(TchError::Shape("the state of the optimiser is of another one".to_owned()))
            }
        }
    }
}

fn decayed(weight: &Tensor, gradient: &Tensor, decay: f64) -> Result<Tensor, TchError> {
    if decay > 0.0 { gradient.f_add(&weight.f_mul_scalar(decay)?) } else { Ok(gradient.shallow_clone()) }
}
