//! Functions of one element.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
enum Activation {
    Relu,
    /// `x`, and `slope * x` below zero.
    LeakyRelu(f64),
    /// The same with a trained slope.
    PRelu,
    /// `scale * x`, and `scale * alpha * (exp(x / width) - 1)` below zero.
    Exponential {
        alpha: f64,
        scale: f64,
        width: f64,
    },
    ThresholdedRelu(f64),
    Sigmoid,
    /// `clip(slope * x + shift, 0, 1)`.
    HardSigmoid {
        slope: f64,
        shift: f64,
    },
    HardSwish,
    /// `x * sigmoid(alpha * x)`.
    Swish(f64),
    Tanh,
    Softplus,
    Softsign,
    /// As libtorch calls the way of computing it.
    Gelu(&'static str),
    Mish,
    Exp,
    Log,
    Sqrt,
    Neg,
    Abs,
    Reciprocal,
    Erf,
    Clip {
        least: Option<f64>,
        greatest: Option<f64>,
    },
}

/// Reads a node; none when it is no such function.
pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Option<Built> {
    let number = |name: &str, default: f64| node.float(name).map_or(default, f64::from);
    let activation = match node.op_type.as_str() {
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu(number("alpha", 0.01)),
        "PRelu" => Activation::PRelu,
        "Elu" => Activation::Exponential { alpha: number("alpha", 1.0), scale: 1.0, width: 1.0 },
        "Selu" => {
            // The standard's defaults, the fixed point of Klambauer et al. (2017).
            let (alpha, scale) = (number("alpha", 1.673_263_2), number("gamma", 1.050_701));
            Activation::Exponential { alpha, scale, width: 1.0 }
        }
        "Celu" => {
            let alpha = number("alpha", 1.0);
            Activation::Exponential { alpha, scale: 1.0, width: alpha }
        }
        "ThresholdedRelu" => Activation::ThresholdedRelu(number("alpha", 1.0)),
        "Sigmoid" => Activation::Sigmoid,
        "HardSigmoid" => Activation::HardSigmoid { slope: number("alpha", 0.2), shift: number("beta", 0.5) },
        "HardSwish" => Activation::HardSwish,
        "Swish" => Activation::Swish(number("alpha", 1.0)),
        "Tanh" => Activation::Tanh,
        "Softplus" => Activation::Softplus,
        "Softsign" => Activation::Softsign,
        "Gelu" => match node.text("approximate").unwrap_or("none") {
            "none" => Activation::Gelu("none"),
            "tanh" => Activation::Gelu("tanh"),
            other => return Some(Err(format!("its approximation is {other:?}"))),
        },
        "Mish" => Activation::Mish,
        "Exp" => Activation::Exp,
        "Log" => Activation::Log,
        "Sqrt" => Activation::Sqrt,
        "Neg" => Activation::Neg,
        "Abs" => Activation::Abs,
        "Reciprocal" => Activation::Reciprocal,
        "Erf" => Activation::Erf,
        "Clip" => match clip(node, facts) {
            Ok(clip) => clip,
            Err(reason) => return Some(Err(reason)),
        },
        _ => return None,
    };
    Some(Ok(Box::new(activation)))
}

/// Limits are attributes in older opsets and inputs in newer ones.
fn clip(node: &NodeProto, facts: &Facts<'_>) -> Result<Activation, String> {
    let limit = |name: &str, index: usize| match node.float(name) {
        Some(limit) => Ok(Some(f64::from(limit))),
        None => facts.number(node, index),
    };
    Ok(Activation::Clip { least: limit("min", 1)?, greatest: limit("max", 2)? })
}

impl Operator for Activation {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let x = inputs.tensor(0)?;
        let made = match self {
            Self::Relu => x.f_relu()?,
            Self::LeakyRelu(slope) => {
                let slope = Tensor::f_full([1], *slope, (x.kind(), x.device()))?;
                x.f_prelu(&slope)?
            }
            // Written out, because slopes may be spread over any axes.
            Self::PRelu => x.f_relu()?.f_add(&x.f_clamp_max(0.0)?.f_mul(inputs.tensor(1)?)?)?,
            Self::Exponential { alpha, scale, width } => exponential(x, *alpha, *scale, *width)?,
            Self::ThresholdedRelu(threshold) => x.f_threshold(*threshold, 0.0)?,
            Self::Sigmoid => x.f_sigmoid()?,
            Self::HardSigmoid { slope, shift } => hard_sigmoid(x, *slope, *shift)?,
            Self::HardSwish => x.f_hardswish()?,
            Self::Swish(alpha) if alpha.to_bits() == 1.0_f64.to_bits() => x.f_silu()?,
            Self::Swish(alpha) => x.f_mul(&x.f_mul_scalar(*alpha)?.f_sigmoid()?)?,
            Self::Tanh => x.f_tanh()?,
            Self::Softplus => x.f_softplus()?,
            Self::Softsign => x.f_div(&x.f_abs()?.f_add_scalar(1.0)?)?,
            Self::Gelu(approximation) => x.f_gelu(approximation)?,
            Self::Mish => x.f_mish()?,
            Self::Exp => x.f_exp()?,
            Self::Log => x.f_log()?,
            Self::Sqrt => x.f_sqrt()?,
            Self::Neg => x.f_neg()?,
            Self::Abs => x.f_abs()?,
            Self::Reciprocal => x.f_reciprocal()?,
            Self::Erf => x.f_erf()?,
            Self::Clip { least, greatest } => match (least, greatest) {
                (Some(least), Some(greatest)) => x.f_clamp(*least, *greatest)?,
                (Some(least), None) => x.f_clamp_min(*least)?,
                (None, Some(greatest)) => x.f_clamp_max(*greatest)?,
                (None, None) => x.shallow_clone(),
            },
        };
        Ok(Value::Tensor(made))
    }
}

/// The family of Elu, Selu and Celu.
fn exponential(x: &Tensor, alpha: f64, scale: f64, width: f64) -> Result<Tensor, TchError> {
    // Only numbers below zero meet the exponential: above it would overflow, and spoil the gradient.
    let below = x.f_clamp_max(0.0)?.f_div_scalar(width)?.f_expm1()?.f_mul_scalar(alpha)?;
    x.f_where_self(&x.f_gt(0.0)?, &below)?.f_mul_scalar(scale)
}

fn hard_sigmoid(x: &Tensor, slope: f64, shift: f64) -> Result<Tensor, TchError> {
    x.f_mul_scalar(slope)?.f_add_scalar(shift)?.f_clamp(0.0, 1.0)
}
