//! A node put behind a tensor, so that whoever read the tensor reads what the node makes of it.

use ndarray::ArrayViewD;

use crate::onnx::GraphBuilder;
use crate::onnx::build::tensor_f32;
use crate::onnx::messages::{GraphProto, NodeProto};

/// Has `operator` combine a tensor with constants; the result carries the tensor's name. What the tensor was, the
/// constants and the node are called after it with these endings. Answers the name of the node.
pub(super) fn insert_behind(
    graph: &mut GraphProto,
    tensor: &str,
    operator: &str,
    endings: [&str; 3],
    constants: ArrayViewD<'_, f32>,
) -> String {
    let mut names = GraphBuilder::extending(std::mem::take(graph));
    let [before, constant, node] = endings.map(|ending| {
        let wanted = format!("{tensor}.{ending}");
        names.unique(&wanted)
    });
    *graph = names.into_graph();
    let makes = |node: &NodeProto| node.output.iter().any(|output| output == tensor);
    let place = graph.node.iter().position(makes).map_or(0, |maker| {
        for output in graph.node[maker].output.iter_mut().filter(|output| *output == tensor) {
            output.clone_from(&before);
        }
        maker + 1
    });
    graph.initializer.push(tensor_f32(&constant, constants));
    let made = NodeProto {
        input: vec![before, constant],
        output: vec![tensor.to_owned()],
        name: node.clone(),
        op_type: operator.to_owned(),
        ..NodeProto::default()
    };
    graph.node.insert(place, made);
    node
}
