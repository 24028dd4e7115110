//! What follows an activation where it is rectified and pooled at once.

use super::anatomy::Anatomy;
use crate::onnx::messages::NodeProto;

/// The greatest of each window of a rectified activation, the windows side by side.
#[derive(Debug)]
pub(super) struct RectifiedPooling<'a> {
    /// What the pooling makes.
    pub(super) tensor: &'a str,
    /// Rows and columns of a window.
    pub(super) window: [u64; 2],
}

/// The rectifier and the pooling behind an activation that nothing else reads; none where something else comes.
pub(super) fn rectified_pooling<'a>(anatomy: &Anatomy<'a>, tensor: &str) -> Option<RectifiedPooling<'a>> {
    let rectifier = only_reader(anatomy, tensor, "Relu")?;
    let pooling = only_reader(anatomy, rectifier.output.first()?, "MaxPool")?;
    let window = side_by_side(pooling)?;
    let [made] = pooling.output.as_slice() else { return None };
    Some(RectifiedPooling { tensor: made, window })
}

fn only_reader<'a>(anatomy: &Anatomy<'a>, tensor: &str, operator: &str) -> Option<&'a NodeProto> {
    match anatomy.readers(tensor)[..] {
        [node] if node.is_standard(operator) => Some(node),
        _ => None,
    }
}

/// The window of a pooling whose windows neither overlap nor reach over the edge, and leave no gaps.
fn side_by_side(pooling: &NodeProto) -> Option<[u64; 2]> {
    let window = pooling.ints("kernel_shape")?;
    let padded = pooling.ints("pads").is_some_and(|pads| pads.iter().any(|pad| *pad != 0))
        || pooling.text("auto_pad").is_some_and(|rule| rule != "NOTSET" && rule != "VALID");
    let dilated = pooling.ints("dilations").is_some_and(|steps| steps.iter().any(|step| *step != 1));
    let rounded_up = pooling.int("ceil_mode").is_some_and(|mode| mode != 0);
    if padded || dilated || rounded_up || pooling.ints("strides") != Some(window) {
        return None;
    }
    let [rows, columns] = *window else { return None };
    Some([u64::try_from(rows).ok()?, u64::try_from(columns).ok()?]).filter(|window| !window.contains(&0))
}
