//! Means, sums and maxima over axes.

use gifthorse_network::onnx::messages::NodeProto;
use tch::TchError;

use super::{Built, Facts, Inputs, Operator, Pass, Value};

#[derive(Debug, Clone, Copy)]
enum Rule {
    Mean,
    Sum,
    Greatest,
}

#[derive(Debug)]
struct Reduction {
    rule: Rule,
    /// None means all.
    axes: Option<Vec<i64>>,
    keeps_axes: bool,
    /// Whether no axes leave the tensor as it is, instead of meaning all.
    none_is_nothing: bool,
}

pub(super) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    let rule = match node.op_type.as_str() {
        "ReduceMean" => Rule::Mean,
        "ReduceSum" => Rule::Sum,
        _ => Rule::Greatest,
    };
    Ok(Box::new(Reduction {
        rule,
        axes: facts.axes(node, 1)?.filter(|axes| !axes.is_empty()),
        keeps_axes: node.int("keepdims").unwrap_or(1) != 0,
        none_is_nothing: node.int("noop_with_empty_axes").unwrap_or(0) != 0,
    }))
}

impl Operator for Reduction {
    fn run(&self, inputs: &Inputs<'_>, _: &Pass) -> Result<Value, TchError> {
        let input = inputs.tensor(0)?;
        let axes = match &self.axes {
            Some(axes) => axes.clone(),
            None if self.none_is_nothing => return Ok(Value::Tensor(input.shallow_clone())),
            None => (0..input.dim() as i64).collect(),
        };
        let axes = axes.as_slice();
        Ok(Value::Tensor(match self.rule {
            Rule::Mean => input.f_mean_dim(axes, self.keeps_axes, None)?,
            Rule::Sum => input.f_sum_dim_intlist(axes, self.keeps_axes, None)?,
            Rule::Greatest => input.f_amax(axes, self.keeps_axes)?,
        }))
    }
}
