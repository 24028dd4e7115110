//! Recognising an image classifier in a graph, and giving it the one form in which it is served: FP32
//! images of one fixed size in, FP32 probabilities `[N, M]` out.

mod batch;
mod describe;
mod input;
mod layout;
mod output;
mod pixel;
mod rewrite;

use prost::Message as _;

use super::messages::ModelProto;
use super::shapes::{Shapes, Size};
use super::{OnnxOptions, Origin, check};
use crate::description::SourceKind;
use crate::{Imported, NetworkError};

/// Imports an ONNX file.
///
/// The bytes that come back hold everything the file held, apart from these changes: the input and output
/// types are made exact, an output of pictures of one pixel is flattened, a missing softmax is appended (or an `Exp` after a log-softmax), the batch axis is
/// freed where that is proven to be harmless, and operator sets that no node uses are no longer imported.
///
/// # Errors
/// Every variant of [`NetworkError`] but `NotExportable` and `File`; nothing panics, whatever the bytes are.
pub fn import(bytes: &[u8], options: &OnnxOptions) -> Result<Imported, NetworkError> {
    let model = super::decode(bytes, &options.limits)?;
    let producer = format!("{} {}", model.producer_name, model.producer_version).trim().to_owned();
    adopt(model, options, Origin { source: SourceKind::Onnx, producer, layers: None })
}

/// Checks a model, recognises the classifier in it and writes it: the second half of every import, for
/// graphs that were built here from another format as well.
///
/// # Errors
/// As [`import`].
pub fn adopt(mut model: ModelProto, options: &OnnxOptions, origin: Origin) -> Result<Imported, NetworkError> {
    check::check(&model)?;
    let opset = check::opset(&model).unwrap_or_default();
    let mut graph = model.graph.take().unwrap_or_default();
    if pixel::is_one(&graph) {
        graph = pixel::flatten(graph);
    }
    let image = input::find(&graph, options)?;
    let free = Shapes::infer(&graph, &image.name, image.shape(Size::Batch), opset);
    let dynamic_batch = batch::decide(image.batch, free.batch())?;
    let shapes = if dynamic_batch {
        free
    } else {
        Shapes::infer(&graph, &image.name, image.shape(Size::Fixed(1)), opset)
    };
    let head = output::find(&graph, &shapes, opset)?;
    let mut facts = describe::facts(&graph, &shapes);
    if let Some(layers) = origin.layers {
        facts.layers = layers;
    }
    let (graph, tensors) = rewrite::apply(graph, &image, &head, dynamic_batch);
    model.graph = Some(graph);
    // An engine refuses models over versions of operator sets it has never heard of, used or not.
    model.opset_import.retain(|import| check::is_standard(&import.domain));
    Ok(Imported {
        onnx: model.encode_to_vec(),
        description: crate::NetworkDescription {
            source: origin.source,
            producer: origin.producer,
            input: image.name,
            output: tensors.output,
            logits: tensors.logits,
            layout: image.layout,
            height: image.height,
            width: image.width,
            channels: image.channels,
            classes: head.classes,
            output_kind: head.finish.output_kind(),
            dynamic_batch,
            opset: u32::try_from(opset).unwrap_or_default(),
            parameters: facts.parameters,
            layers: facts.layers,
        },
    })
}
