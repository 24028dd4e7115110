//! The small integers from which exporters compute how to reshape.

use gifthorse_network::onnx::messages::NodeProto;
use tch::TchError;

use super::inputs::axis_of;
use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug)]
enum OfIntegers {
    /// The sizes of the axes from the first up to the second.
    Shape { start: i64, end: i64 },
    /// The integers at these places.
    Gather(Vec<i64>),
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    if node.op_type == "Shape" {
        let (start, end) = (node.int("start").unwrap_or(0), node.int("end").unwrap_or(i64::MAX));
        return Ok(Box::new(OfIntegers::Shape { start, end }));
    }
    if node.int("axis").unwrap_or(0) != 0 {
        return Err("it picks along another axis than the first".to_owned());
    }
    let places = facts.integers(node, 1)?.ok_or("it does not say which elements")?;
    Ok(Box::new(OfIntegers::Gather(places)))
}

impl Operator for OfIntegers {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        match self {
            Self::Shape { start, end } => {
                let sizes = inputs.tensor(0)?.size();
                let count = sizes.len() as i64;
                let place =
                    |index: i64| if index < 0 { index + count } else { index }.clamp(0, count) as usize;
                Ok(Value::Integers(sizes.get(place(*start)..place(*end)).unwrap_or_default().to_vec()))
            }
            Self::Gather(places) => {
                let integers = inputs.integers(0)?;
                let picked = places.iter().map(|place| Ok(integers[axis_of(*place, integers.len())?]));
                Ok(Value::Integers(picked.collect::<Result<_, TchError>>()?))
            }
        }
    }
}
