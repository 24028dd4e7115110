//! A network cut at an activation that may be bypassed: the second half takes every tensor that crosses.

use std::collections::{BTreeSet, HashSet};

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::extract::{Port, extract_all};
use super::site::PruningSite;
use crate::NetworkDescription;
use crate::onnx::Extent;
use crate::onnx::messages::NodeProto;
use crate::onnx::shapes::without_batch;

/// A tensor that goes around the activation, FP32, one row an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossingTensor {
    /// Its name, in both halves.
    pub tensor: String,
    /// Its axes after the batch.
    pub shape: Vec<u64>,
}

/// A network cut in two at a pruning site: whatever is done to the activation, running the second half on it
/// and on what crosses beside it gives the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSplit {
    /// From the image to the activation and to what crosses beside it.
    pub prefix: Vec<u8>,
    /// From there to the logits: the nodes behind the activation, and no others.
    pub suffix: Vec<u8>,
    /// Where it was cut.
    pub site: PruningSite,
    /// The image: input of the prefix.
    pub input: String,
    /// The activation: output of the prefix and input of the suffix.
    pub activation: String,
    /// What crosses beside it, likewise; empty where nothing bypasses the activation. The image itself may be
    /// among them; then it is an input of the suffix and no output of the prefix.
    pub crossing: Vec<CrossingTensor>,
    /// The logits: output of the suffix.
    pub logits: String,
}

/// Cuts the network in two at a pruning site.
///
/// Everything that does not depend on the activation belongs to the prefix, so the suffix is as short as it
/// can be.
///
/// # Errors
/// When the file is not the described network, or not the one for which `site` was made.
pub fn split_at_site(
    onnx: &[u8],
    description: &NetworkDescription,
    site: &PruningSite,
) -> Result<SiteSplit, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let tensor = site.cut.tensor.as_str();
    if !anatomy.stations().iter().any(|station| station.tensor == tensor) {
        return Err(SurgeryError::OtherNetwork { tensor: tensor.to_owned() });
    }
    let crossing = crossing(&anatomy, tensor);
    let port = |tensor: &str, sizes: &[u64]| {
        let sizes = sizes.iter().copied().map(Extent::Fixed);
        Port::new(tensor, [anatomy.batch()].into_iter().chain(sizes).collect())
    };
    let image = Port::new(&description.input, anatomy.image_shape());
    let logits = Port::new(&description.logits, anatomy.logits_shape());
    let mut carried = vec![port(tensor, &[site.cut.channels, site.cut.height, site.cut.width])];
    carried.extend(crossing.iter().map(|crossing| port(&crossing.tensor, &crossing.shape)));
    let made: Vec<Port> = carried.iter().filter(|port| port.tensor != description.input).cloned().collect();
    Ok(SiteSplit {
        prefix: extract_all(&model, std::slice::from_ref(&image), &made)?,
        suffix: extract_all(&model, &carried, std::slice::from_ref(&logits))?,
        site: site.clone(),
        input: description.input.clone(),
        activation: tensor.to_owned(),
        crossing,
        logits: description.logits.clone(),
    })
}

/// What the nodes behind the activation read beside it, in a fixed order.
fn crossing(anatomy: &Anatomy<'_>, activation: &str) -> Vec<CrossingTensor> {
    let mut behind = HashSet::from([activation]);
    for node in &anatomy.path {
        if node.input.iter().any(|input| behind.contains(input.as_str())) {
            behind.extend(node.output.iter().map(String::as_str));
        }
    }
    let reads = |node: &&NodeProto| node.output.iter().any(|output| behind.contains(output.as_str()));
    let is_source = |node: &&NodeProto| node.output.iter().any(|output| output == activation);
    let nodes = anatomy.path.iter().filter(|node| reads(node) && !is_source(node));
    let from_image = |node: &NodeProto| {
        let inputs = node.input.iter().filter(|input| anatomy.shapes.is_from_image(input));
        inputs.cloned().collect::<Vec<String>>()
    };
    let mut open: Vec<String> = nodes.flat_map(|node| from_image(node)).collect();
    let mut seen = BTreeSet::new();
    let mut crossing = Vec::new();
    while let Some(tensor) = open.pop() {
        if behind.contains(tensor.as_str()) || !seen.insert(tensor.clone()) {
            continue;
        }
        match (rows(anatomy, &tensor), anatomy.maker(&tensor)) {
            (Some(shape), _) => crossing.push(CrossingTensor { tensor, shape }),
            // Sizes and the like are no rows: the suffix makes them itself, of what they are made of.
            (None, Some(maker)) => open.extend(from_image(maker)),
            (None, None) => {}
        }
    }
    crossing.sort_by(|one, other| one.tensor.cmp(&other.tensor));
    crossing
}

/// The axes after the batch of a tensor of numbers with one row an image.
fn rows(anatomy: &Anatomy<'_>, tensor: &str) -> Option<Vec<u64>> {
    const NO_NUMBERS: [&str; 13] = [
        "Shape", "Size", "Cast", "ArgMax", "ArgMin", "NonZero", "Equal", "Less", "Greater", "Not", "And",
        "Or", "TopK",
    ];
    let maker = anatomy.maker(tensor);
    if maker.is_some_and(|maker| NO_NUMBERS.contains(&maker.op_type.as_str())) {
        return None;
    }
    let shape = anatomy.shapes.of(tensor)?;
    // A value per image, not a list of sizes: what is known to hold the batch in its first axis.
    let counts_images = shape.first().is_some_and(|size| is_batch(anatomy, *size));
    if counts_images { without_batch(shape) } else { None }
}

fn is_batch(anatomy: &Anatomy<'_>, size: crate::onnx::shapes::Size) -> bool {
    use crate::onnx::shapes::Size;
    match size {
        Size::Batch => true,
        Size::Fixed(1) => !anatomy.description.dynamic_batch,
        Size::Fixed(_) | Size::Unknown => false,
    }
}
