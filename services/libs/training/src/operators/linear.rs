//! Matrix products.

use gifthorse_network::onnx::messages::NodeProto;
use tch::TchError;

use super::{Inputs, Operator, Pass, Value};

/// `alpha A B + beta C`.
#[derive(Debug)]
struct Gemm {
    alpha: f64,
    beta: f64,
    turns_left: bool,
    turns_right: bool,
}

#[derive(Debug)]
struct MatMul;

pub(super) fn gemm(node: &NodeProto) -> Box<dyn Operator> {
    let number = |name| f64::from(node.float(name).unwrap_or(1.0));
    let flag = |name| node.int(name).unwrap_or(0) != 0;
    Box::new(Gemm {
        alpha: number("alpha"),
        beta: number("beta"),
        turns_left: flag("transA"),
        turns_right: flag("transB"),
    })
}

pub(super) fn matmul() -> Box<dyn Operator> {
    Box::new(MatMul)
}

impl Operator for Gemm {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let (left, right, added) = (inputs.tensor(0)?, inputs.tensor(1)?, inputs.optional(2)?);
        let left = if self.turns_left { left.f_transpose(0, 1)? } else { left.shallow_clone() };
        // libtorch's own layer takes the weights turned.
        let turned = if self.turns_right { right.shallow_clone() } else { right.f_transpose(0, 1)? };
        let plain = (self.alpha, self.beta) == (1.0, 1.0);
        if let Some(bias) = added.filter(|bias| plain && bias.dim() == 1) {
            return Ok(Value::Tensor(left.f_linear(&turned, Some(bias))?));
        }
        let mut product = left.f_linear(&turned, None::<&tch::Tensor>)?;
        if self.alpha.to_bits() != 1.0_f64.to_bits() {
            product = product.f_mul_scalar(self.alpha)?;
        }
        let Some(added) = added else { return Ok(Value::Tensor(product)) };
        if self.beta.to_bits() == 1.0_f64.to_bits() {
            return Ok(Value::Tensor(product.f_add(added)?));
        }
        Ok(Value::Tensor(product.f_add(&added.f_mul_scalar(self.beta)?)?))
    }
}

impl Operator for MatMul {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        Ok(Value::Tensor(inputs.tensor(0)?.f_matmul(inputs.tensor(1)?)?))
    }
}
