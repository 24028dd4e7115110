//! The changes an import makes to the graph.

use super::input::ImageInput;
use super::output::{Finish, Head};
use crate::Layout;
use crate::onnx::build::value_info;
use crate::onnx::messages::{GraphProto, NodeProto};
use crate::onnx::{Extent, GraphBuilder, attribute};

/// Names after the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensors {
    /// Probabilities, `[N, M]`.
    pub(super) output: String,
    /// Logits, `[N, M]`.
    pub(super) logits: String,
}

/// Makes the changes; see [`super::import`] for which.
pub(super) fn apply(
    mut graph: GraphProto,
    image: &ImageInput,
    head: &Head,
    dynamic_batch: bool,
) -> (GraphProto, Tensors) {
    if image.batch.is_some() == dynamic_batch {
        // These shapes were made for another batch axis. They can be inferred again from the input's.
        graph.value_info.clear();
    }
    let old_output = graph.output.first().map(|output| output.name.clone()).unwrap_or_default();
    let mut builder = GraphBuilder::extending(graph);

    let mut logits = head.before_softmax.clone();
    for node in &head.reshaping {
        logits = repeat(&mut builder, node, &logits);
    }
    let output = match head.finish {
        Finish::Nothing => old_output,
        // In every opset the softmax of `[N, M]` may be given its axis as 1; -1 is younger.
        Finish::Softmax => {
            builder.node("Softmax", "probabilities", &[&old_output], vec![attribute::int("axis", 1)])
        }
        Finish::Exponential => builder.node("Exp", "probabilities", &[&old_output], Vec::new()),
    };

    let mut graph = builder.into_graph();
    let batch = if dynamic_batch { Extent::batch() } else { Extent::Fixed(1) };
    let sizes = match image.layout {
        Layout::Nchw => [image.channels, image.height, image.width],
        Layout::Nhwc => [image.height, image.width, image.channels],
    };
    let mut input_shape = vec![batch.clone()];
    input_shape.extend(sizes.map(Extent::Fixed));
    if let Some(input) = graph.input.iter_mut().find(|input| input.name == image.name) {
        input.r#type = value_info(&image.name, &input_shape).r#type;
    }
    if let Some(info) = graph.output.first_mut() {
        info.r#type = value_info(&output, &[batch, Extent::Fixed(head.classes)]).r#type;
        info.name.clone_from(&output);
    }
    (graph, Tensors { output, logits })
}

/// Adds the same operation on another tensor and answers what it makes.
fn repeat(builder: &mut GraphBuilder, node: &NodeProto, tensor: &str) -> String {
    let mut inputs = vec![tensor];
    inputs.extend(node.input.iter().skip(1).map(String::as_str));
    builder.node(&node.op_type, "logits", &inputs, node.attribute.clone())
}
