//! The network cut after its first convolution, where that is the first thing that happens to the image.
//!
//! A convolution is affine, so for sums of pictures it need not be done again: with `front` the part up to
//! and with the convolution, `front(x + o - b) = front(x) + front(o) - front(b)`, and
//! `front(a x + (1 - a) o) = a front(x) + (1 - a) front(o)`.

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::extract::{Port, extract};
use super::pooling::rectified_pooling;
use crate::NetworkDescription;
use crate::onnx::Extent;
use crate::onnx::initializers::read_f32;
use crate::onnx::messages::NodeProto;
use crate::onnx::shapes::without_batch;

/// A network cut after the convolution that its image reaches first.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstConvolution {
    /// From the image to what the convolution makes, its bias included. Affine in the image.
    pub front: Vec<u8>,
    /// From there to the logits.
    pub back: Vec<u8>,
    /// What `front` makes of an image of zeros, one number a channel: the bias of the convolution. None where
    /// an image of zeros makes more than that, because it is normalised before; then run `front` on one.
    pub bias: Option<Vec<f32>>,
    /// The image: input of the front.
    pub input: String,
    /// What the convolution makes, `[N, channels, height, width]`: output of the front, input of the back.
    pub convolved: String,
    /// The logits: output of the back.
    pub logits: String,
    /// Count of channels that the convolution makes.
    pub channels: u64,
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
    /// What follows the convolution, where it is a rectifier and a pooling.
    pub pooled: Option<Pooled>,
}

/// The activation behind a first convolution, rectified and then the greatest taken of each window. Windows lie
/// side by side; rows and columns that fill none are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// From the pooled activation, `[N, channels, height, width]`, to the logits.
    pub back: Vec<u8>,
    /// Rows and columns of a window.
    pub window: [u64; 2],
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

/// Cuts the network after its first convolution; none where the image goes elsewhere too, or comes to a
/// convolution only after something that is not affine.
///
/// # Errors
/// When the file is not the described network.
pub fn first_convolution(
    onnx: &[u8],
    description: &NetworkDescription,
) -> Result<Option<FirstConvolution>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let Some(reached) = reach(&anatomy) else { return Ok(None) };
    let convolved = reached.convolution.output.first().map(String::as_str).unwrap_or_default();
    let Some([channels, height, width]) = anatomy
        .shapes
        .of(convolved)
        .and_then(without_batch)
        .and_then(|sizes| <[u64; 3]>::try_from(sizes).ok())
    else {
        return Ok(None);
    };
    let shape = [channels, height, width].map(Extent::Fixed);
    let image = Port::new(&description.input, anatomy.image_shape());
    let middle = Port::new(convolved, [anatomy.batch()].into_iter().chain(shape).collect());
    let logits = Port::new(&description.logits, anatomy.logits_shape());
    let pooling = rectified_pooling(&anatomy, convolved);
    let pooled = match pooling.filter(|pooling| pooling.window[0] <= height && pooling.window[1] <= width) {
        Some(pooling) => {
            let [rows, columns] = pooling.window;
            let (height, width) = (height / rows, width / columns);
            let shape = [channels, height, width].map(Extent::Fixed);
            let from = Port::new(pooling.tensor, [anatomy.batch()].into_iter().chain(shape).collect());
            let back = extract(&model, &from, &logits)?;
            Some(Pooled { back, window: pooling.window, height, width })
        }
        None => None,
    };
    Ok(Some(FirstConvolution {
        front: extract(&model, &image, &middle)?,
        back: extract(&model, &middle, &logits)?,
        bias: if reached.shifted { None } else { bias(&anatomy, reached.convolution, channels) },
        input: image.tensor,
        convolved: middle.tensor,
        logits: logits.tensor,
        channels,
        height,
        width,
        pooled,
    }))
}

/// The first convolution, and whether an image of zeros comes to it as something else.
struct Reached<'a> {
    convolution: &'a NodeProto,
    shifted: bool,
}

/// Follows the image, as long as it goes one way and nothing happens that is not affine.
fn reach<'a>(anatomy: &Anatomy<'a>) -> Option<Reached<'a>> {
    let constant = |tensor: &String| tensor.is_empty() || anatomy.shapes.constant_named(tensor).is_some();
    let mut tensor = anatomy.description.input.as_str();
    let mut shifted = false;
    // As many steps as there are nodes at most: each is another one.
    for _ in &anatomy.path {
        let [node] = anatomy.readers(tensor)[..] else { return None };
        let image_comes_first = node.input.first().is_some_and(|input| input == tensor);
        // An operator on the image alone and constants; twice the image would be a square, or twice as much.
        let others = node.input.iter().filter(|input| *input != tensor);
        if node.input.len() - others.clone().count() != 1 || !others.clone().all(constant) {
            return None;
        }
        match node.op_type.as_str() {
            "Conv" if image_comes_first => return Some(Reached { convolution: node, shifted }),
            "Transpose" | "Identity" | "Dropout" | "Mul" => {}
            "Div" if image_comes_first => {}
            "Add" | "Sub" => shifted = true,
            "BatchNormalization" if image_comes_first => shifted = true,
            "Pad" if node.text("mode").is_none_or(|mode| mode == "constant") => {
                // Newer opsets have the padded value as an input, older ones as an attribute.
                shifted |= node.input.len() > 2 || node.float("value").is_some_and(|value| value != 0.0);
            }
            _ => return None,
        }
        tensor = node.output.first()?;
    }
    None
}

/// The bias of a convolution; zeros where it has none.
fn bias(anatomy: &Anatomy<'_>, convolution: &NodeProto, channels: u64) -> Option<Vec<f32>> {
    match convolution.input.get(2).filter(|name| !name.is_empty()) {
        None => Some(vec![0.0; usize::try_from(channels).ok()?]),
        Some(name) => read_f32(anatomy.graph, name).ok().map(|bias| bias.into_iter().collect()),
    }
}
