//! Batch normalisation, with stored statistics or with those of the batch.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::{Built, Inputs, Operator, Pass, Value};
use crate::mode::BatchNorm;

/// `(x - mean) / sqrt(variance + epsilon) * scale + shift`, channel by channel.
///
/// In training the stored statistics become `momentum * stored + (1 - momentum) * batch`, the variance of the
/// batch being the unbiased one there, as in PyTorch.
#[derive(Debug)]
struct BatchNormalization {
    epsilon: f64,
    momentum: f64,
}

pub(super) fn build(node: &NodeProto) -> Built {
    if node.int("spatial") == Some(0) {
        return Err("it normalises every place for itself (spatial = 0)".to_owned());
    }
    Ok(Box::new(BatchNormalization {
        epsilon: f64::from(node.float("epsilon").unwrap_or(1e-5)),
        momentum: f64::from(node.float("momentum").unwrap_or(0.9)),
    }))
}

impl Operator for BatchNormalization {
    fn run(&self, inputs: &Inputs<'_>, pass: &Pass) -> Result<Value, TchError> {
        let (scale, shift) = (inputs.tensor(1)?, inputs.tensor(2)?);
        let (mean, variance) = (inputs.tensor(3)?, inputs.tensor(4)?);
        let trains = pass.batch_norm == BatchNorm::Train;
        let statistics = |tensor: &Tensor| -> Result<Tensor, TchError> {
            // libtorch writes into them; a copy takes what is not to be kept.
            if trains && !pass.follows { tensor.f_detach()?.f_mul_scalar(1.0) } else { tensor.f_detach() }
        };
        let made = inputs.tensor(0)?.f_batch_norm(
            Some(scale),
            Some(shift),
            Some(&statistics(mean)?),
            Some(&statistics(variance)?),
            trains,
            1.0 - self.momentum,
            self.epsilon,
            true,
        )?;
        Ok(Value::Tensor(made))
    }
}
