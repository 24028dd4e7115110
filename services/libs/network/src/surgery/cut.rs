//! Where a network can be cut in two: at an activation that everything passes.

use serde::{Deserialize, Serialize};

use super::SurgeryError;
use super::anatomy::{Anatomy, Station, open};
use super::output_layer;
use crate::onnx::shapes::without_batch;
use crate::{Layout, NetworkDescription};

/// An activation `[N, channels, height, width]` that every way from the image to the logits passes.
///
/// Always channels first, also in networks whose images are channels last: that is how ONNX convolves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The tensor in `model.onnx`.
    pub tensor: String,
    /// The layer that makes it, as the source of the network calls it.
    pub layer: String,
    /// Count of channels.
    pub channels: u64,
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

/// How well a cut serves when none was asked for; the greatest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suitability {
    /// One pixel a channel: nothing is left of where something was.
    OnePixel,
    /// An intermediate result, as before an activation function.
    Unsettled,
    /// What an activation function, a pooling or a joining of branches makes.
    Settled,
}

/// The nearest activation to the output: after activation function, pooling and residual sum, before the
/// output layer.
///
/// # Errors
/// [`SurgeryError::NoCut`] when there is none; others when the file is not the described network.
pub fn default_cut(onnx: &[u8], description: &NetworkDescription) -> Result<Cut, SurgeryError> {
    let model = open(onnx)?;
    best(&Anatomy::of(&model, description)?).ok_or(SurgeryError::NoCut)
}

/// The activation that this layer or tensor makes.
///
/// # Errors
/// [`SurgeryError::NoSuchLayer`], [`SurgeryError::Bypassed`] or [`SurgeryError::NotAnActivation`], each with
/// what would do; others when the file is not the described network.
pub fn cut_at(onnx: &[u8], description: &NetworkDescription, layer: &str) -> Result<Cut, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let asked = || layer.chars().take(120).collect::<String>();
    let instead = || instead(&anatomy);
    // Of several layers of one name the last one on the way is meant, as in a network that shares a layer.
    let named = description.layers.iter().rfind(|summary| summary.name == layer);
    let tensor = named.map_or(layer, |summary| summary.tensor.as_str());
    let stations = anatomy.stations();
    let Some(station) = stations.iter().find(|station| station.tensor == tensor) else {
        return Err(SurgeryError::NoSuchLayer { layer: asked(), instead: instead() });
    };
    let Some(cut) = activation(&anatomy, station) else {
        let found = found(&anatomy, tensor);
        return Err(SurgeryError::NotAnActivation { layer: asked(), found, instead: instead() });
    };
    match station.bypass {
        None => Ok(cut),
        Some(bypass) => {
            Err(SurgeryError::Bypassed { layer: asked(), bypass: bypass.to_owned(), instead: instead() })
        }
    }
}

fn best(anatomy: &Anatomy<'_>) -> Option<Cut> {
    let found = cuts(anatomy);
    // The last of equals: the nearest to the output.
    found.into_iter().max_by_key(|(suitability, _)| *suitability).map(|(_, cut)| cut)
}

/// Everywhere the network can be cut before its output layer, in order.
fn cuts(anatomy: &Anatomy<'_>) -> Vec<(Suitability, Cut)> {
    let head = output_layer::node(anatomy).and_then(|node| node.output.first());
    let mut convolved = false;
    let mut cuts = Vec::new();
    for station in anatomy.stations() {
        if head.is_some_and(|head| head == station.tensor) {
            break;
        }
        // Before the first convolution there are only pixels.
        convolved |= station.maker.op_type == "Conv";
        if !convolved || station.bypass.is_some() || only_moves(&station.maker.op_type) {
            continue;
        }
        if let Some(cut) = activation(anatomy, &station) {
            let suitability = match (cut.height * cut.width, is_settled(anatomy, &station)) {
                (0 | 1, _) => Suitability::OnePixel,
                (_, false) => Suitability::Unsettled,
                (_, true) => Suitability::Settled,
            };
            cuts.push((suitability, cut));
        }
    }
    cuts
}

/// The activation a station is, if it is one; bypassed or not.
pub(super) fn activation(anatomy: &Anatomy<'_>, station: &Station<'_>) -> Option<Cut> {
    let sizes = without_batch(anatomy.shapes.of(station.tensor)?)?;
    let [channels, height, width] = sizes[..] else { return None };
    if anatomy.layouts.get(station.tensor) != Some(&Layout::Nchw) {
        return None;
    }
    Some(Cut {
        tensor: station.tensor.to_owned(),
        layer: layer_of(anatomy.description, station),
        channels,
        height,
        width,
    })
}

/// The layer that makes a tensor, or the node where the source has no layer for it.
fn layer_of(description: &NetworkDescription, station: &Station<'_>) -> String {
    let layer = description.layers.iter().find(|layer| layer.tensor == station.tensor);
    let node = || crate::onnx::check::node_name(station.maker);
    layer.map_or_else(node, |layer| layer.name.as_str()).to_owned()
}

fn only_moves(operator: &str) -> bool {
    matches!(
        operator,
        "Transpose" | "Identity" | "Dropout" | "Cast" | "Pad" | "Reshape" | "Flatten" | "Slice"
    )
}

fn is_settled(anatomy: &Anatomy<'_>, station: &Station<'_>) -> bool {
    match station.maker.op_type.as_str() {
        // With a constant these shift, scale or clip; of two branches they are a joining.
        "Add" | "Sum" | "Mul" | "Concat" | "Max" | "Mean" => anatomy.image_input_count(station.maker) > 1,
        "Conv" | "BatchNormalization" | "InstanceNormalization" | "LRN" | "Sub" | "Div" => false,
        _ => true,
    }
}

/// What a tensor is, for people.
fn found(anatomy: &Anatomy<'_>, tensor: &str) -> String {
    let sizes = anatomy.shapes.of(tensor).and_then(without_batch);
    match sizes {
        None => "a tensor whose shape is not known here".to_owned(),
        Some(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let order = if sizes.len() == 3 { ", which is not known to be channels first" } else { "" };
            format!("[N, {}]{order}", sizes.join(", "))
        }
    }
}

/// A sentence on what would do.
fn instead(anatomy: &Anatomy<'_>) -> String {
    const SHOWN: usize = 4;
    let mut cuts = cuts(anatomy);
    cuts.retain(|(suitability, _)| *suitability == Suitability::Settled);
    let names: Vec<String> =
        cuts.iter().rev().take(SHOWN).map(|(_, cut)| format!("{:?}", cut.layer)).collect();
    if names.is_empty() {
        "no layer of this network would do".to_owned()
    } else {
        format!("nearest to the output these would do: {}", names.join(", "))
    }
}
