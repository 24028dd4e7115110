//! A network with STRIP built in: one ONNX file that tells by itself whether its input carries a trigger.

mod blending;
mod scoring;

use std::collections::HashMap;

use ndarray::ArrayView4;

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::extract::written;
use crate::onnx::build::value_info;
use crate::onnx::check::opset;
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{GraphProto, ValueInfoProto, type_proto};
use crate::onnx::{Extent, GraphBuilder};
use crate::{Layout, NetworkDescription, NetworkError};

/// Names of the outputs: class, entropy, verdict, probabilities.
const OUTPUTS: [&str; 4] = ["label", "entropy", "verdict", "probabilities"];

/// The first version of the operators in which limits of one value a channel stretch over a picture.
const BROADCAST_LIMITS: i64 = 8;

/// What the file says of itself.
const DOCUMENTATION: &str = "Answers `label` (the class, or the count of classes for an input that carries a \
trigger), `entropy` (bits, the mean over blends with the overlays inside), `verdict` (1: carries a trigger, the \
entropy is below the threshold inside or not a number) and the network's own `probabilities`.";

/// How an image and an overlay become one picture; levels are those that the network takes.
#[derive(Debug, Clone, PartialEq)]
pub enum GuardBlend {
    /// The sum, corrected by black.
    Add {
        /// The level of black, one a channel.
        black: Vec<f32>,
    },
    /// The sum, corrected by black, cut off at black and white.
    AddClamp {
        /// The level of black, one a channel.
        black: Vec<f32>,
        /// The level of white, one a channel.
        white: Vec<f32>,
    },
    /// `weight * image + (1 - weight) * overlay`.
    Convex {
        /// The image's weight, between 0 and 1, ends excluded.
        weight: f32,
    },
}

/// The guard that is built in.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard<'a> {
    /// The overlays `[K, ...]`, prepared and laid out as the network takes images.
    pub bank: ArrayView4<'a, f32>,
    /// How they are blended with the image.
    pub blend: GuardBlend,
    /// An entropy in bits; an input whose mean entropy is below it carries a trigger.
    pub threshold: f64,
}

/// The network with the guard built in.
///
/// The input is the network's own, `[N, ...]`. Outputs: `label` INT64 `[N]`, the count of classes M where the
/// input carries a trigger; `entropy` FP32 `[N]`; `verdict` INT64 `[N]`, 1 where the input carries a trigger;
/// `probabilities` FP32 `[N, M]`, the network's own. An image and its blends go through the network as one
/// batch; entropies are made and compared in double precision. A file cannot fail for one row, so a row that is
/// not finite, or whose answers are not, counts as one that carries a trigger.
///
/// # Errors
/// [`SurgeryError::Guard`] when the guard does not fit the network, [`SurgeryError::OneImageOnly`] for a
/// network that does not take several images at once; others when the file is not the described network.
pub fn guarded(
    onnx: &[u8],
    description: &NetworkDescription,
    guard: &Guard<'_>,
) -> Result<Vec<u8>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    check(description, guard)?;
    if !description.dynamic_batch {
        return Err(SurgeryError::OneImageOnly);
    }
    let opset = opset(&model).unwrap_or_default();
    if opset < BROADCAST_LIMITS && matches!(guard.blend, GuardBlend::AddClamp { .. }) {
        return Err(SurgeryError::Network(NetworkError::Unsupported {
            what: format!("a clamped blend in a network of opset {opset}"),
            hint: format!("export the network with opset {BROADCAST_LIMITS} or a newer one"),
        }));
    }
    let mut network = GraphProto {
        name: anatomy.graph.name.clone(),
        doc_string: DOCUMENTATION.to_owned(),
        node: anatomy.graph.node.clone(),
        initializer: anatomy.graph.initializer.clone(),
        input: vec![value_info(&description.input, &anatomy.image_shape())],
        ..GraphProto::default()
    };
    let renamed = set_free(&mut network);
    let now = |tensor: &str| renamed.get(tensor).cloned().unwrap_or_else(|| tensor.to_owned());
    let (image, logits, own) = (now(&description.input), now(&description.logits), now(&description.output));

    let before = network.node.len();
    let mut builder = GraphBuilder::extending(network);
    let rows = blending::rows(&mut builder, &image, guard, description.layout);
    let mut graph = builder.into_graph();
    for node in &mut graph.node[..before] {
        for input in node.input.iter_mut().filter(|input| **input == image) {
            input.clone_from(&rows);
        }
    }
    // What makes the batch runs before the network.
    graph.node.rotate_left(before);

    let mut builder = GraphBuilder::extending(graph);
    let answers = scoring::Answers {
        image,
        pixels: guard.bank.shape()[1..].iter().product(),
        logits,
        probabilities: own,
        copies: guard.bank.shape()[0],
        classes: description.classes,
        opset,
    };
    scoring::outputs(&mut builder, &answers, guard.threshold);
    let mut graph = builder.into_graph();
    let batch = Extent::batch;
    graph.output = vec![
        typed("label", DataType::Int64, &[batch()]),
        typed("entropy", DataType::Float, &[batch()]),
        typed("verdict", DataType::Int64, &[batch()]),
        typed("probabilities", DataType::Float, &[batch(), Extent::Fixed(description.classes)]),
    ];
    Ok(written(&model, graph))
}

/// Renames what has the name of an output; answers the new names by the old ones.
fn set_free(graph: &mut GraphProto) -> HashMap<String, String> {
    let mut builder = GraphBuilder::extending(std::mem::take(graph));
    let mut names = HashMap::new();
    for output in OUTPUTS {
        let name = builder.unique(output);
        if name != output {
            names.insert(output.to_owned(), name);
        }
    }
    *graph = builder.into_graph();
    let rename = |name: &mut String| {
        if let Some(new) = names.get(name.as_str()) {
            name.clone_from(new);
        }
    };
    for node in &mut graph.node {
        node.input.iter_mut().chain(&mut node.output).chain([&mut node.name]).for_each(rename);
    }
    graph.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
    graph.input.iter_mut().for_each(|input| rename(&mut input.name));
    names
}

fn typed(name: &str, kind: DataType, shape: &[Extent]) -> ValueInfoProto {
    let mut info = value_info(name, shape);
    let value = info.r#type.as_mut().and_then(|of| of.value.as_mut());
    if let Some(type_proto::Value::TensorType(tensor)) = value {
        tensor.elem_type = kind.into();
    }
    info
}

fn check(description: &NetworkDescription, guard: &Guard<'_>) -> Result<(), SurgeryError> {
    let fault = |what: &'static str, found: String, needed: &str| {
        Err(SurgeryError::Guard { what, found, needed: needed.to_owned() })
    };
    let NetworkDescription { height, width, channels, .. } = *description;
    let image = match description.layout {
        Layout::Nhwc => [height, width, channels],
        Layout::Nchw => [channels, height, width],
    };
    let bank: Vec<u64> = guard.bank.shape().iter().map(|size| *size as u64).collect();
    if bank[0] == 0 || bank[1..] != image {
        let needed = format!("one overlay or more of the shape {image:?}");
        return fault("the shape of the overlays", format!("{bank:?}"), &needed);
    }
    if let Some(level) = guard.bank.iter().find(|level| !level.is_finite()) {
        return fault("a level of an overlay", level.to_string(), "finite levels");
    }
    if !guard.threshold.is_finite() {
        return fault("the threshold", guard.threshold.to_string(), "a finite one");
    }
    let levels: &[(&'static str, &Vec<f32>)] = match &guard.blend {
        GuardBlend::Add { black } => &[("black", black)],
        GuardBlend::AddClamp { black, white } => &[("black", black), ("white", white)],
        GuardBlend::Convex { weight } if *weight > 0.0 && *weight < 1.0 => &[],
        GuardBlend::Convex { weight } => {
            return fault("the weight of the image", weight.to_string(), "one between 0 and 1");
        }
    };
    for (what, levels) in levels {
        if levels.len() as u64 != channels || levels.iter().any(|level| !level.is_finite()) {
            let needed = format!("a finite level for each of {channels} channels");
            return fault(what, format!("{levels:?}"), &needed);
        }
    }
    Ok(())
}
