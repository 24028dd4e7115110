//! Elementwise arithmetic of tensors, spread over each other.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::{Inputs, Operator, Pass, Value};

#[derive(Debug, Clone, Copy)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Greatest,
    Least,
    Mean,
}

pub(super) fn build(node: &NodeProto) -> Box<dyn Operator> {
    Box::new(match node.op_type.as_str() {
        "Sub" => Arithmetic::Subtract,
        "Mul" => Arithmetic::Multiply,
        "Div" => Arithmetic::Divide,
        "Max" => Arithmetic::Greatest,
        "Min" => Arithmetic::Least,
        "Mean" => Arithmetic::Mean,
        _ => Arithmetic::Add,
    })
}

impl Arithmetic {
    fn of(self, left: &Tensor, right: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Add | Self::Mean => left.f_add(right),
            Self::Subtract => left.f_sub(right),
            Self::Multiply => left.f_mul(right),
            Self::Divide => left.f_div(right),
            Self::Greatest => left.f_maximum(right),
            Self::Least => left.f_minimum(right),
        }
    }
}

impl Operator for Arithmetic {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let tensors = inputs.tensors()?;
        let mut made = inputs.tensor(0)?.shallow_clone();
        for tensor in &tensors[1..] {
            made = self.of(&made, tensor)?;
        }
        if matches!(self, Self::Mean) {
            made = made.f_div_scalar(tensors.len() as f64)?;
        }
        Ok(Value::Tensor(made))
    }
}
