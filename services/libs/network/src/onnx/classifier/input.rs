//! The one image input of a classifier.

use std::collections::HashSet;

use super::layout;
use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{GraphProto, ValueInfoProto};
use crate::onnx::shapes::{Shape, Size};
use crate::onnx::types::{described, tensor_of};
use crate::onnx::{InputSize, OnnxOptions};
use crate::{Layout, NetworkError};

/// More values than this in one image, and no machine serves it.
const MOST_VALUES: u64 = 1 << 26;

/// An image input, FP32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageInput {
    pub(super) name: String,
    pub(super) layout: Layout,
    pub(super) height: u64,
    pub(super) width: u64,
    pub(super) channels: u64,
    /// How many images the file says there are; none when that is free.
    pub(super) batch: Option<u64>,
}

impl ImageInput {
    /// Sizes of the four axes.
    pub(super) fn shape(&self, batch: Size) -> Shape {
        let [one, two, three] = match self.layout {
            Layout::Nchw => [self.channels, self.height, self.width],
            Layout::Nhwc => [self.height, self.width, self.channels],
        };
        vec![batch, Size::Fixed(one), Size::Fixed(two), Size::Fixed(three)]
    }
}

/// Finds the input. Inputs with an initializer of the same name are weights and do not count.
///
/// # Errors
/// [`NetworkError::NotAClassifier`] when there is not exactly one, of rank 4;
/// [`NetworkError::Unsupported`] when its type is not FP32 or its layout or size stays open.
pub(super) fn find(graph: &GraphProto, options: &OnnxOptions) -> Result<ImageInput, NetworkError> {
    let input = only_input(graph)?;
    let not_an_image = || NetworkError::NotAClassifier {
        reason: format!("its input {:?} is {}, not images of four axes", input.name, described(input)),
    };
    let (kind, sizes) = tensor_of(input).ok_or_else(not_an_image)?;
    let sizes: [Option<u64>; 4] = sizes.and_then(|sizes| sizes.try_into().ok()).ok_or_else(not_an_image)?;
    if kind != DataType::Float {
        return Err(NetworkError::Unsupported {
            what: format!("input {:?}, {}", input.name, described(input)),
            hint: "export the network with an FP32 (FLOAT) image input".to_owned(),
        });
    }
    let (layout, channels) = layout::decide(graph, &input.name, &sizes, options.layout)?;
    let [height, width] = if layout == Layout::Nchw { [sizes[2], sizes[3]] } else { [sizes[1], sizes[2]] };
    let said = options.input_size;
    let size = InputSize {
        height: side(input, "height", height, said.map(|size| size.height))?,
        width: side(input, "width", width, said.map(|size| size.width))?,
    };
    let values = size.height.saturating_mul(size.width).saturating_mul(channels);
    if values > MOST_VALUES {
        let what = format!("count of values in one image of input {:?}", input.name);
        return Err(NetworkError::TooLarge { what, found: values, limit: MOST_VALUES });
    }
    let InputSize { height, width } = size;
    Ok(ImageInput { name: input.name.clone(), layout, height, width, channels, batch: sizes[0] })
}

fn only_input(graph: &GraphProto) -> Result<&ValueInfoProto, NetworkError> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).collect();
    match inputs.as_slice() {
        [] => Err(NetworkError::NotAClassifier { reason: "it takes no input".to_owned() }),
        [input] => Ok(input),
        several => {
            let shown =
                several.iter().take(4).map(|input| format!("{:?} ({})", input.name, described(input)));
            Err(NetworkError::NotAClassifier {
                reason: format!(
                    "it takes {} inputs, not one image: {}",
                    several.len(),
                    shown.collect::<Vec<_>>().join(", ")
                ),
            })
        }
    }
}

/// One side of the images, from the file, from the options, or from both when they agree.
fn side(
    input: &ValueInfoProto,
    axis: &str,
    declared: Option<u64>,
    said: Option<u64>,
) -> Result<u64, NetworkError> {
    let fault = |what: String, hint: &str| NetworkError::Unsupported { what, hint: hint.to_owned() };
    match (declared, said) {
        (Some(declared), Some(said)) if declared != said => Err(fault(
            format!(
                "input size with {axis} {said} for input {:?}, which is {}",
                input.name,
                described(input)
            ),
            "the network fixes its size; leave --input-size out",
        )),
        (_, Some(0)) => Err(fault(format!("input size with {axis} 0"), "say the size of the images")),
        (Some(size), _) | (None, Some(size)) => Ok(size),
        (None, None) => Err(fault(
            format!("input {:?} with a free {axis} ({})", input.name, described(input)),
            "say the size of the images with --input-size",
        )),
    }
}
