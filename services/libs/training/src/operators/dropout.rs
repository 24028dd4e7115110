//! Values left out by lot in training.

use gifthorse_network::onnx::messages::NodeProto;
use tch::TchError;

use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
struct Dropout {
    ratio: f64,
    place: u32,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    if node.output.get(1).is_some_and(|mask| !mask.is_empty()) {
        return Err("its second output, the mask, is used".to_owned());
    }
    let ratio = match node.float("ratio") {
        Some(ratio) => f64::from(ratio),
        None => facts.number(node, 1)?.unwrap_or(0.5),
    };
    if !(0.0..1.0).contains(&ratio) {
        return Err(format!("its ratio is {ratio}, not from 0 to below 1"));
    }
    Ok(Box::new(Dropout { ratio, place: facts.next_dropout() }))
}

impl Operator for Dropout {
    fn run(&self, inputs: &Inputs<'_>, pass: &Pass) -> Result<Value, TchError> {
        let input = inputs.tensor(0)?;
        let Some(noise) = pass.noise.filter(|_| self.ratio > 0.0) else {
            return Ok(Value::Tensor(input.shallow_clone()));
        };
        let kept = noise.kept(self.place, self.ratio, &input.size(), input.kind(), input.device())?;
        Ok(Value::Tensor(input.f_mul(&kept)?))
    }
}
