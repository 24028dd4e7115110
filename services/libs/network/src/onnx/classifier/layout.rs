//! Which axis of the image holds the channels.

use crate::onnx::messages::GraphProto;
use crate::{Layout, NetworkError};

/// Counts of channels that pictures have: grey, colour, colour with alpha.
const CHANNELS: [u64; 3] = [1, 3, 4];

/// The layout said, or else the one the input's sizes tell, or else the one its first use tells.
///
/// # Errors
/// [`NetworkError::Unsupported`] when the file leaves it open or the channels are none of 1, 3 and 4.
pub(super) fn decide(
    graph: &GraphProto,
    input: &str,
    sizes: &[Option<u64>; 4],
    said: Option<Layout>,
) -> Result<(Layout, u64), NetworkError> {
    let channels_at = |axis: usize| sizes[axis].filter(|size| CHANNELS.contains(size));
    let layout = match (said, channels_at(1), channels_at(3)) {
        (Some(layout), _, _) => Some(layout),
        (None, Some(_), None) => Some(Layout::Nchw),
        (None, None, Some(_)) => Some(Layout::Nhwc),
        (None, _, _) => by_first_use(graph, input),
    };
    let Some(layout) = layout else {
        return Err(NetworkError::Unsupported {
            what: format!("input {input:?} of shape {}, whose channel axis is not clear", shown(sizes)),
            hint: "say --layout nchw (channels first) or --layout nhwc (channels last)".to_owned(),
        });
    };
    let axis = if layout == Layout::Nchw { 1 } else { 3 };
    match channels_at(axis) {
        Some(channels) => Ok((layout, channels)),
        None => Err(NetworkError::Unsupported {
            what: format!("input {input:?} of shape {} with its channels at axis {axis}", shown(sizes)),
            hint: "pictures have a fixed count of 1, 3 or 4 channels; is the layout right?".to_owned(),
        }),
    }
}

/// Follows the image through arithmetic to the first operator that knows where channels are.
fn by_first_use(graph: &GraphProto, input: &str) -> Option<Layout> {
    // Scaling takes a handful of steps; the bound keeps a hostile graph from costing time.
    const LONGEST_PREPROCESSING: usize = 16;
    let mut tensor = input;
    for _ in 0..LONGEST_PREPROCESSING {
        let node = graph.node.iter().find(|node| node.input.iter().any(|input| input == tensor))?;
        match node.op_type.as_str() {
            "Conv" | "MaxPool" | "AveragePool" | "GlobalAveragePool" | "BatchNormalization" => {
                return Some(Layout::Nchw);
            }
            "Transpose" => {
                return match node.ints("perm")? {
                    [0, 3, 1, 2] => Some(Layout::Nhwc),
                    [0, 2, 3, 1] => Some(Layout::Nchw),
                    _ => None,
                };
            }
            "Add" | "Sub" | "Mul" | "Div" | "Identity" | "Cast" | "Clip" => tensor = node.output.first()?,
            _ => return None,
        }
    }
    None
}

fn shown(sizes: &[Option<u64>; 4]) -> String {
    let sizes = sizes.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string()));
    format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
}
