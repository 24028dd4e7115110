//! Padding as an operator of its own.

use gifthorse_network::onnx::messages::NodeProto;
use tch::TchError;

use super::inputs::axis_of;
use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
struct Pad {
    /// All beginnings, then all ends.
    pads: Vec<i64>,
    /// The axes these belong to; none means all.
    axes: Option<Vec<i64>>,
    /// As libtorch calls it.
    mode: &'static str,
    value: f64,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    let pads = match node.ints("pads") {
        Some(pads) => pads.to_vec(),
        None => facts.integers(node, 1)?.ok_or("it does not say how much")?,
    };
    let value = match node.float("value") {
        Some(value) => f64::from(value),
        None => facts.number(node, 2)?.unwrap_or(0.0),
    };
    let mode = match node.text("mode").unwrap_or("constant") {
        "constant" => "constant",
        "reflect" => "reflect",
        "edge" => "replicate",
        "wrap" => "circular",
        other => return Err(format!("its mode is {other:?}")),
    };
    Ok(Box::new(Pad { pads, axes: facts.integers(node, 3)?, mode, value }))
}

impl Operator for Pad {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let input = inputs.tensor(0)?;
        let rank = input.dim();
        let axes = match &self.axes {
            Some(axes) => axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Result<_, _>>()?,
            None => (0..rank).collect::<Vec<_>>(),
        };
        if self.pads.len() != axes.len() * 2 {
            return Err(TchError::Shape(format!("{} pads for {} axes", self.pads.len(), axes.len())));
        }
        let mut sides = vec![(0, 0); rank];
        for (index, axis) in axes.iter().enumerate() {
            sides[*axis] = (self.pads[index], self.pads[index + axes.len()]);
        }
        // Leading axes without padding are left out: libtorch repeats the border on the last ones only.
        let first = sides.iter().position(|side| *side != (0, 0)).unwrap_or(rank);
        if first == rank {
            return Ok(Value::Tensor(input.shallow_clone()));
        }
        let first = if self.mode == "constant" { first } else { first.min(rank.saturating_sub(2)) };
        let order: Vec<i64> =
            sides[first..].iter().rev().flat_map(|(before, after)| [*before, *after]).collect();
        let value = (self.mode == "constant").then_some(self.value);
        Ok(Value::Tensor(input.f_pad(order, self.mode, value)?))
    }
}
