//! Layers that make one tensor of several.

use super::super::layer::Merge;
use super::{AxisOrder, Converter, Meaning, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

/// What a merged tensor stands for: merged probabilities are no probabilities of one softmax any more.
fn merged_meaning(inputs: &[Value]) -> Meaning {
    let squashed = inputs.iter().find_map(|input| match &input.meaning {
        Meaning::Open => None,
        Meaning::Probabilities { .. } => Some("softmax"),
        Meaning::Squashed(function) => Some(*function),
    });
    squashed.map_or(Meaning::Open, Meaning::Squashed)
}

impl Converter<'_> {
    pub(super) fn merge(
        &mut self,
        site: &Site,
        merge: Merge,
        inputs: &[Value],
    ) -> Result<Value, NetworkError> {
        if inputs.len() < 2 || (merge == Merge::Subtract && inputs.len() != 2) {
            return Err(site.misfit(inputs, "it takes another count of inputs"));
        }
        let aligned = self.aligned(site, inputs)?;
        let shape =
            broadcast(&aligned).ok_or_else(|| site.misfit(inputs, "their shapes do not fit together"))?;
        let order = aligned[0].order;
        let names: Vec<String> = aligned.into_iter().map(|value| value.tensor).collect();
        let tensor = match merge {
            Merge::Add => self.chained("Add", site, &names, &site.tensor),
            Merge::Subtract => self.chained("Sub", site, &names, &site.tensor),
            Merge::Multiply => self.chained("Mul", site, &names, &site.tensor),
            Merge::Maximum => self.chained("Max", site, &names, &site.tensor),
            Merge::Minimum => self.chained("Min", site, &names, &site.tensor),
            Merge::Average => {
                let sum = self.chained("Add", site, &names, &site.part("sum"));
                let weight = self.number(site, "weight", 1.0 / names.len() as f32);
                self.graph.node("Mul", &site.tensor, &[&sum, &weight], Vec::new())
            }
        };
        Ok(Value { meaning: merged_meaning(inputs), ..Value::keras(tensor, shape).in_order(order) })
    }

    /// Merges two at a time, left to right; the last result is called `name`.
    fn chained(&mut self, operator: &str, site: &Site, names: &[String], name: &str) -> String {
        let last = names.len() - 1;
        let mut merged = names[0].clone();
        for (index, next) in names.iter().enumerate().skip(1) {
            let name = if index == last { name.to_owned() } else { site.part(&format!("merged_{index}")) };
            merged = self.graph.node(operator, &name, &[&merged, next], Vec::new());
        }
        merged
    }

    /// Brings all inputs to one rank and one order of axes; as in Keras, missing axes are the first ones.
    fn aligned(&mut self, site: &Site, inputs: &[Value]) -> Result<Vec<Value>, NetworkError> {
        let rank = inputs.iter().map(|input| input.shape.len()).max().unwrap_or_default();
        let any_turned =
            inputs.iter().any(|input| input.shape.len() == rank && input.order == AxisOrder::LastFirst);
        let order = if any_turned { AxisOrder::LastFirst } else { AxisOrder::Keras };
        let mut aligned = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            let missing = rank - input.shape.len();
            if missing == 0 {
                aligned.push(self.turned(input, order));
                continue;
            }
            if input.shape.is_empty() {
                return Err(site.misfit(inputs, "one input has no axes"));
            }
            let input = self.turned(input, AxisOrder::Keras);
            let shape: Vec<usize> =
                std::iter::repeat_n(1, missing).chain(input.shape.iter().copied()).collect();
            let sizes: Vec<i64> = std::iter::once(0).chain(shape.iter().map(|size| *size as i64)).collect();
            let sizes = self.graph.initializer_i64(&site.part(&format!("shape_{index}")), &sizes);
            let name = site.part(&format!("raised_{index}"));
            let tensor = self.graph.node("Reshape", &name, &[&input.tensor, &sizes], Vec::new());
            let raised = Value::keras(tensor, shape);
            aligned.push(self.turned(&raised, order));
        }
        Ok(aligned)
    }

    pub(super) fn concatenate(
        &mut self,
        site: &Site,
        axis: i64,
        inputs: &[Value],
    ) -> Result<Value, NetworkError> {
        let misfit = |reason| site.misfit(inputs, reason);
        let first = inputs.first().ok_or_else(|| misfit("it takes several inputs"))?;
        let axis = first.axis(axis).ok_or_else(|| misfit("there is no such axis"))?;
        let mut shape = first.shape.clone();
        shape[axis] = 0;
        for input in inputs {
            let same = input.shape.len() == shape.len()
                && (0..shape.len()).all(|other| other == axis || input.shape[other] == shape[other]);
            if !same {
                return Err(misfit("their shapes do not fit together"));
            }
            shape[axis] = shape[axis].saturating_add(input.shape[axis]);
        }
        let any_turned = inputs.iter().any(|input| input.order == AxisOrder::LastFirst);
        let order = if any_turned { AxisOrder::LastFirst } else { AxisOrder::Keras };
        let turned: Vec<Value> = inputs.iter().map(|input| self.turned(input, order)).collect();
        let names: Vec<&str> = turned.iter().map(|value| value.tensor.as_str()).collect();
        let output = Value::keras(String::new(), shape).in_order(order);
        let attributes = vec![attribute::int("axis", output.onnx_axis(axis) as i64)];
        let tensor = self.graph.node("Concat", &site.tensor, &names, attributes);
        Ok(Value { meaning: merged_meaning(inputs), ..output.renamed(tensor) })
    }
}

/// The shape that values of one rank have together; none when an axis differs and is not one.
fn broadcast(values: &[Value]) -> Option<Vec<usize>> {
    let mut shape = values.first()?.shape.clone();
    for value in values {
        for (size, other) in shape.iter_mut().zip(&value.shape) {
            *size = match (*size, *other) {
                (one, other) if one == other => one,
                (1, other) => other,
                (one, 1) => one,
                _ => return None,
            };
        }
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(shape: &[usize]) -> Value {
        Value::keras(String::new(), shape.to_vec())
    }

    #[test]
    fn shapes_meet_as_in_keras() {
        assert_eq!(broadcast(&[value(&[4, 4, 3]), value(&[1, 1, 3])]), Some(vec![4, 4, 3]));
        assert_eq!(broadcast(&[value(&[4, 1]), value(&[1, 5]), value(&[4, 5])]), Some(vec![4, 5]));
        assert_eq!(broadcast(&[value(&[4]), value(&[5])]), None);
    }

    #[test]
    fn merged_probabilities_are_no_longer_logits_or_probabilities() {
        let mut softmax = value(&[3]);
        softmax.meaning = Meaning::Probabilities { logits: "l".to_owned() };
        assert_eq!(merged_meaning(&[value(&[3]), softmax]), Meaning::Squashed("softmax"));
        assert_eq!(merged_meaning(&[value(&[3]), value(&[3])]), Meaning::Open);
    }
}
