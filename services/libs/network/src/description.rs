//! What an imported network is, in terms every room understands.

use serde::{Deserialize, Serialize};

/// Order of an image tensor's axes after the batch axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[N, H, W, C]`, channels last: Keras.
    Nhwc,
    /// `[N, C, H, W]`, channels first: ONNX operators.
    Nchw,
}

/// How the served output came to be probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// The network ends in a softmax of its own, or in a log-softmax whose logarithm was undone at import.
    Probabilities,
    /// The network answers logits; a softmax was appended at import.
    SoftmaxAppended,
}

/// The kind of file the network came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A full Keras model, `.h5`.
    KerasModel,
    /// Keras weights only, `.h5`, with an architecture given beside it.
    KerasWeights,
    /// ONNX.
    Onnx,
}

/// One layer (Keras) or node (ONNX) of the network, for people and for choosing a layer to prune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Its name in the source file.
    pub name: String,
    /// Its class or operator.
    pub kind: String,
    /// Shape of its output without the batch axis, in the source's layout; empty when unknown.
    pub output_shape: Vec<u64>,
    /// Count of its weights.
    pub parameters: u64,
    /// Name of the tensor in `model.onnx` that carries its output.
    pub tensor: String,
}

/// Everything the other rooms need to know about an imported network without opening it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkDescription {
    /// The kind of file it came in.
    pub source: SourceKind,
    /// Keras version, or ONNX producer and version, as the file says; empty when it does not.
    pub producer: String,
    /// Name of the image input tensor, FP32, `[N, H, W, C]` or `[N, C, H, W]`.
    pub input: String,
    /// Name of the probability output tensor, FP32 `[N, M]`.
    pub output: String,
    /// Name of the tensor `[N, M]` just before the final softmax.
    pub logits: String,
    /// Axes of the input.
    pub layout: Layout,
    /// Rows of the image.
    pub height: u64,
    /// Columns of the image.
    pub width: u64,
    /// Channels of the image.
    pub channels: u64,
    /// Count of classes, M.
    pub classes: u64,
    /// Where the probabilities come from.
    pub output_kind: OutputKind,
    /// Whether the batch axis is free; false when the file fixes it to one row.
    pub dynamic_batch: bool,
    /// Opset of the default domain in `model.onnx`.
    pub opset: u32,
    /// Count of all weights.
    pub parameters: u64,
    /// The layers in execution order.
    pub layers: Vec<LayerSummary>,
}

/// A foreign network, checked and converted.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The self-contained ONNX file.
    pub onnx: Vec<u8>,
    /// What it is.
    pub description: NetworkDescription,
}
