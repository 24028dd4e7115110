//! Keeping an optimiser of ONNX Runtime from changing what a network computes.
//!
//! ONNX Runtime (seen up to 1.26) moves the zeros of a `Pad` into the pooling that follows. A `MaxPool`
//! however pads with minus infinity, so that negative values at the border win over the zeros they should
//! lose against, and a border as wide as the window makes the model fail to load. Padding with the smallest
//! normal number instead of zero makes no difference to a result, and is left alone.

use std::collections::HashSet;

use ndarray::arr0;

use crate::onnx::build::tensor_f32;
use crate::onnx::messages::GraphProto;

/// 1.2e-38: not zero even where denormal numbers are taken for zero.
const ALMOST_ZERO: f32 = f32::MIN_POSITIVE;

/// Sets the padded value of every `Pad` whose output a pooling reads.
pub(in super::super) fn keep_pads_apart(graph: &mut GraphProto) {
    let pooled: HashSet<String> = graph
        .node
        .iter()
        .filter(|node| matches!(node.op_type.as_str(), "MaxPool" | "AveragePool"))
        .flat_map(|node| node.input.iter().cloned())
        .collect();
    for node in graph.node.iter_mut().filter(|node| node.op_type == "Pad" && node.input.len() == 2) {
        if node.output.iter().any(|output| pooled.contains(output)) {
            let name = format!("{}/almost_zero", node.name);
            graph.initializer.push(tensor_f32(&name, arr0(ALMOST_ZERO).view()));
            node.input.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::GraphBuilder;

    #[test]
    fn only_pads_before_a_pooling_are_changed() {
        let mut builder = GraphBuilder::new("g");
        let pads = builder.initializer_i64("pads", &[0, 0, 1, 1, 0, 0, 1, 1]);
        let first = builder.node("Pad", "first", &["x", &pads], Vec::new());
        let pooled = builder.node("MaxPool", "pooled", &[&first], Vec::new());
        let second = builder.node("Pad", "second", &[&pooled, &pads], Vec::new());
        builder.node("Conv", "conv", &[&second, "w"], Vec::new());
        let mut graph = builder.into_graph();
        keep_pads_apart(&mut graph);
        assert_eq!(graph.node[0].input, ["x", "pads", "first/almost_zero"]);
        assert_eq!(graph.node[2].input, ["pooled", "pads"]);
        assert_eq!(graph.initializer[1].raw_data.as_ref(), f32::MIN_POSITIVE.to_le_bytes());
    }
}
