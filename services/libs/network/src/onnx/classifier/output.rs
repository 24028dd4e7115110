//! The output of a classifier: how wide it is, and whether it is probabilities yet.

use std::collections::HashMap;

use crate::NetworkError;
use crate::description::OutputKind;
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{GraphProto, NodeProto, ValueInfoProto};
use crate::onnx::shapes::{Shapes, Size};
use crate::onnx::types::{described, tensor_of};

/// What is still to be done to the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// Nothing, it is probabilities.
    Nothing,
    /// It is logits: a softmax.
    Softmax,
    /// It is logarithms of probabilities: an exponential.
    Exponential,
}

impl Finish {
    pub(super) const fn output_kind(self) -> OutputKind {
        match self {
            Self::Nothing | Self::Exponential => OutputKind::Probabilities,
            Self::Softmax => OutputKind::SoftmaxAppended,
        }
    }
}

/// The end of the network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    /// Count of classes, M.
    pub(super) classes: u64,
    /// What is still to be done.
    pub(super) finish: Finish,
    /// The tensor before the softmax, of any shape with M elements an image.
    pub(super) before_softmax: String,
    /// The nodes between the softmax and the output that change the shape, in order of execution; the same
    /// are to be applied to `before_softmax` to have it as `[N, M]`.
    pub(super) reshaping: Vec<NodeProto>,
}

/// Finds the output and walks back from it to the softmax.
///
/// # Errors
/// [`NetworkError::NotAClassifier`] for any other output than FP32 `[N, M]` with M of at least two.
pub(super) fn find(graph: &GraphProto, shapes: &Shapes<'_>, opset: i64) -> Result<Head, NetworkError> {
    let output = only_output(graph)?;
    let classes = width(output, shapes)?;
    if !shapes.is_from_image(&output.name) {
        return Err(not_a_classifier(format!("its output {:?} does not depend on the image", output.name)));
    }
    let makers: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)))
        .collect();
    let mut reshaping = Vec::new();
    let mut tensor = output.name.as_str();
    while let Some(node) = makers.get(tensor) {
        let Some(before) = node.input.first() else { break };
        let finish = match node.op_type.as_str() {
            "Identity" | "Dropout" => {
                tensor = before;
                continue;
            }
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => {
                reshaping.push((*node).clone());
                tensor = before;
                continue;
            }
            "Softmax" => Finish::Nothing,
            "LogSoftmax" => Finish::Exponential,
            "Sigmoid" => {
                return Err(not_a_classifier(format!(
                    "it ends in a sigmoid (node {:?}): each of its {classes} answers stands for itself",
                    node.name
                )));
            }
            "Div" => match spelled_out_softmax(node, &makers) {
                Some(before) => {
                    reshaping.reverse();
                    return Ok(Head { classes, finish: Finish::Nothing, before_softmax: before, reshaping });
                }
                None => break,
            },
            _ => break,
        };
        if !is_over_classes(shapes.of(before), node, opset, classes) {
            return Err(NetworkError::Unsupported {
                what: format!("a {} over another axis than the classes (node {:?})", node.op_type, node.name),
                hint: "export the network with the softmax over the last axis of [N, M]".to_owned(),
            });
        }
        reshaping.reverse();
        return Ok(Head { classes, finish, before_softmax: before.clone(), reshaping });
    }
    let before_softmax = output.name.clone();
    Ok(Head { classes, finish: Finish::Softmax, before_softmax, reshaping: Vec::new() })
}

fn only_output(graph: &GraphProto) -> Result<&ValueInfoProto, NetworkError> {
    match graph.output.as_slice() {
        [output] => Ok(output),
        several => {
            let shown =
                several.iter().take(4).map(|output| format!("{:?} ({})", output.name, described(output)));
            Err(not_a_classifier(format!(
                "it has {} outputs, not one: {}",
                several.len(),
                shown.collect::<Vec<_>>().join(", ")
            )))
        }
    }
}

/// Count of classes, declared or inferred.
fn width(output: &ValueInfoProto, shapes: &Shapes<'_>) -> Result<u64, NetworkError> {
    let name = &output.name;
    let other = |also: &str| {
        let described = described(output);
        not_a_classifier(format!("its output {name:?} is {described}{also}, not FLOAT [N, classes]"))
    };
    let (kind, declared) = tensor_of(output).ok_or_else(|| other(""))?;
    if kind != DataType::Float {
        return Err(other(""));
    }
    let inferred = shapes.of(name).map(|sizes| {
        sizes.iter().map(|size| if let Size::Fixed(size) = size { Some(*size) } else { None }).collect()
    });
    let also = if declared.is_some() { "" } else { " (by its nodes, of another rank)" };
    let last_of = |sizes: Option<Vec<Option<u64>>>| match sizes.as_deref() {
        None => Ok(None),
        Some([_, last]) => Ok(*last),
        Some([_, _, _, _]) => Err(other(", as of an autoencoder or a segmentation network")),
        Some(_) => Err(other(also)),
    };
    match (last_of(declared.clone())?, last_of(inferred)?) {
        (Some(declared), Some(inferred)) if declared != inferred => Err(NetworkError::Damaged {
            fault: format!("output {name:?} is said to have {declared} classes, its nodes make {inferred}"),
        }),
        (Some(0 | 1), _) | (_, Some(0 | 1)) => {
            Err(not_a_classifier(format!("its output {name:?} is one number an image, not one a class")))
        }
        (Some(classes), _) | (None, Some(classes)) => Ok(classes),
        (None, None) => Err(NetworkError::Unsupported {
            what: format!("output {name:?} ({}), whose count of classes is not clear,", described(output)),
            hint: "export the network with a fixed count of classes, or run onnx.shape_inference on it"
                .to_owned(),
        }),
    }
}

/// Whether a softmax on a tensor of this shape runs over the M classes of each image.
fn is_over_classes(shape: Option<&[Size]>, node: &NodeProto, opset: i64, classes: u64) -> bool {
    // Up to opset 12, all axes from this one on count as one.
    let joins_axes = opset < 13;
    let axis = node.int("axis").unwrap_or(if joins_axes { 1 } else { -1 });
    let Some(shape) = shape else { return axis == 1 || axis == -1 };
    let axis = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
    let Some(axis) = usize::try_from(axis).ok().filter(|axis| *axis > 0 && *axis < shape.len()) else {
        return false;
    };
    let sizes = if joins_axes { &shape[axis..] } else { &shape[axis..=axis] };
    let count = sizes.iter().try_fold(1_u64, |count, size| match size {
        Size::Fixed(size) => count.checked_mul(*size),
        Size::Batch | Size::Unknown => None,
    });
    // A size that is not known can only be the classes if it is the one axis beside the batch.
    count.map_or(shape.len() == 2, |count| count == classes)
}

/// The tensor before `Exp(x) / ReduceSum(Exp(x))`, as exporters write a softmax they have no name for.
fn spelled_out_softmax(division: &NodeProto, makers: &HashMap<&str, &NodeProto>) -> Option<String> {
    let [above, below] = division.input.as_slice() else { return None };
    let (above_maker, below_maker) = (makers.get(above.as_str())?, makers.get(below.as_str())?);
    let sums = below_maker.op_type == "ReduceSum" && below_maker.input.first() == Some(above);
    (sums && above_maker.op_type == "Exp").then(|| above_maker.input.first().cloned())?
}

fn not_a_classifier(reason: String) -> NetworkError {
    NetworkError::NotAClassifier { reason }
}
