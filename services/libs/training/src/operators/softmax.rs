//! Softmax and its logarithm, inside a network: the last one is left out in training.

use gifthorse_network::onnx::messages::NodeProto;
use tch::{TchError, Tensor};

use super::inputs::axis_of;
use super::{Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
struct Softmax {
    axis: i64,
    /// Whether all axes from this one on count as one, as up to opset 12.
    joins_axes: bool,
    logarithm: bool,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Box<dyn Operator> {
    let joins_axes = facts.opset < 13;
    Box::new(Softmax {
        axis: node.int("axis").unwrap_or(if joins_axes { 1 } else { -1 }),
        joins_axes,
        logarithm: node.op_type == "LogSoftmax",
    })
}

impl Softmax {
    fn along(&self, input: &Tensor, axis: i64) -> Result<Tensor, TchError> {
        if self.logarithm { input.f_log_softmax(axis, None) } else { input.f_softmax(axis, None) }
    }
}

impl Operator for Softmax {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let input = inputs.tensor(0)?;
        let axis = axis_of(self.axis, input.dim())? as i64;
        if !self.joins_axes {
            return Ok(Value::Tensor(self.along(input, axis)?));
        }
        let joined = input.f_flatten(axis, -1)?;
        Ok(Value::Tensor(self.along(&joined, -1)?.f_reshape(input.size())?))
    }
}
