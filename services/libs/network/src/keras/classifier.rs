//! The two ends of an image classifier: one picture in, the probabilities of the classes out.

use super::convert::{Converter, MOST_ACTIVATIONS, Meaning, Value, keep_pads_apart};
use super::fault::{shortened, unsupported};
use super::layer::DataFormat;
use super::model::{Content, Model};
use super::parameter::Parameter;
use super::weights::Weights;
use crate::NetworkError;
use crate::description::{Layout, NetworkDescription, OutputKind, SourceKind};
use crate::onnx::build::WRITTEN_OPSET;
use crate::onnx::messages::ModelProto;
use crate::onnx::{Extent, GraphBuilder, attribute};

/// A converted network.
#[derive(Debug)]
pub(super) struct Classifier {
    /// The ONNX model.
    pub(super) onnx: ModelProto,
    /// What it is.
    pub(super) description: NetworkDescription,
    /// The Keras model it was made from.
    pub(super) model: Model,
    /// Where each Keras weight is in the ONNX model.
    pub(super) parameters: Vec<Parameter>,
}

/// A picture as the network takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Picture {
    layout: Layout,
    height: usize,
    width: usize,
    channels: usize,
    /// Whether Keras has no axis for the one channel of a grey picture.
    flat: bool,
}

impl Picture {
    /// The axes of the ONNX input after the batch axis.
    fn axes(self) -> [usize; 3] {
        match self.layout {
            Layout::Nhwc => [self.height, self.width, self.channels],
            Layout::Nchw => [self.channels, self.height, self.width],
        }
    }
}

fn not_a_classifier(reason: impl Into<String>) -> NetworkError {
    NetworkError::NotAClassifier { reason: reason.into() }
}

/// Converts a model that must be an image classifier.
pub(super) fn convert(
    model: Model,
    weights: &Weights,
    source: SourceKind,
    version: &str,
) -> Result<Classifier, NetworkError> {
    let (input_name, picture) = picture(&model)?;
    let mut converter = Converter::new(&model.name, weights);
    let input = start(&mut converter, &input_name, picture);
    let input_tensor = input.0;
    let mut outputs = converter.model(&model, "", &[input.1])?;
    let (Some(output), true) = (outputs.pop(), outputs.is_empty()) else {
        return Err(not_a_classifier("it has several outputs, a classifier has one"));
    };
    let end = end(&mut converter, &output)?;
    let parameters = converter.parameter_count() as u64;
    let description = NetworkDescription {
        source,
        producer: if version.is_empty() { String::new() } else { format!("Keras {}", shortened(version)) },
        input: input_tensor,
        output: end.probabilities,
        logits: end.logits,
        layout: picture.layout,
        height: picture.height as u64,
        width: picture.width as u64,
        channels: picture.channels as u64,
        classes: end.classes as u64,
        output_kind: end.kind,
        dynamic_batch: true,
        opset: WRITTEN_OPSET as u32,
        parameters,
        layers: converter.layers,
    };
    let parameters = converter.parameters;
    let mut graph = converter.graph.into_graph();
    keep_pads_apart(&mut graph);
    let onnx = GraphBuilder::extending(graph).finish();
    Ok(Classifier { onnx, description, model, parameters })
}

/// The picture the model takes, and the name of its input.
fn picture(model: &Model) -> Result<(String, Picture), NetworkError> {
    let [input] = model.inputs.as_slice() else {
        let count = model.inputs.len();
        return Err(not_a_classifier(format!("it has {count} inputs, an image classifier has one")));
    };
    let entry = &model.entries[input.entry];
    let Content::Input(Some(shape)) = &entry.content else {
        let hint = "save it with an input shape: keras.Input(shape=(height, width, channels))";
        return Err(unsupported("a model without an input shape", hint));
    };
    let open = || {
        unsupported(
            format!("the open size in the input shape {}", shape_text(shape)),
            "save the model with fixed rows, columns and channels",
        )
    };
    let sizes = shape.iter().copied().collect::<Option<Vec<usize>>>();
    let layout = match model.data_format().unwrap_or_default() {
        DataFormat::ChannelsLast => Layout::Nhwc,
        DataFormat::ChannelsFirst => Layout::Nchw,
    };
    let picture = match (shape.len(), sizes.as_deref(), layout) {
        (2 | 3, None, _) => return Err(open()),
        (_, Some([height, width, channels]), Layout::Nhwc)
        | (_, Some([channels, height, width]), Layout::Nchw) => {
            Picture { layout, height: *height, width: *width, channels: *channels, flat: false }
        }
        (_, Some([height, width]), _) => {
            Picture { layout: Layout::Nhwc, height: *height, width: *width, channels: 1, flat: true }
        }
        _ => {
            let shape = shape_text(shape);
            return Err(not_a_classifier(format!(
                "its input has the shape {shape}, a picture has (rows, columns, channels)"
            )));
        }
    };
    let elements = picture.axes().into_iter().try_fold(1, usize::checked_mul);
    if elements.is_none_or(|elements| elements > MOST_ACTIVATIONS) {
        return Err(NetworkError::TooLarge {
            what: "the count of numbers in one input picture".to_owned(),
            found: elements.map_or(u64::MAX, |elements| elements as u64),
            limit: MOST_ACTIVATIONS as u64,
        });
    }
    Ok((entry.name.clone(), picture))
}

/// A shape as Keras prints it.
fn shape_text(shape: &[Option<usize>]) -> String {
    let sizes: Vec<_> =
        shape.iter().map(|size| size.map_or_else(|| "None".to_owned(), |size| size.to_string())).collect();
    format!("(None, {})", sizes.join(", "))
}

/// Adds the input; answers its tensor's name and the value the model starts from.
fn start(converter: &mut Converter<'_>, name: &str, picture: Picture) -> (String, Value) {
    let axes = picture.axes();
    let extents: Vec<Extent> =
        std::iter::once(Extent::batch()).chain(axes.map(|size| Extent::Fixed(size as u64))).collect();
    let tensor = converter.graph.input_f32(name, &extents);
    if !picture.flat {
        return (tensor.clone(), Value::keras(tensor, axes.to_vec()));
    }
    let sizes = [0, picture.height as i64, picture.width as i64];
    let sizes = converter.graph.initializer_i64(&format!("{name}/shape"), &sizes);
    let grey = converter.graph.node("Reshape", &format!("{name}/grey"), &[&tensor, &sizes], Vec::new());
    (tensor, Value::keras(grey, vec![picture.height, picture.width]))
}

/// The end of the network.
struct End {
    probabilities: String,
    logits: String,
    classes: usize,
    kind: OutputKind,
}

/// Declares the output, with a softmax appended where the network answers logits.
fn end(converter: &mut Converter<'_>, output: &Value) -> Result<End, NetworkError> {
    let classes = match output.shape.as_slice() {
        [classes] if *classes >= 2 => *classes,
        [1] => {
            let reason = "it answers one number an image; train it with one output a class and a softmax";
            return Err(not_a_classifier(reason));
        }
        [_, _, 1..=4] => {
            let shape = output.shape.iter().map(|size| Some(*size)).collect::<Vec<_>>();
            let shape = shape_text(&shape);
            return Err(not_a_classifier(format!(
                "its output {shape} is a picture, as of an autoencoder, where a classifier answers (None, classes)"
            )));
        }
        _ => {
            let shape = output.shape.iter().map(|size| Some(*size)).collect::<Vec<_>>();
            let shape = shape_text(&shape);
            return Err(not_a_classifier(format!(
                "its output is {shape}, a classifier answers (None, classes)"
            )));
        }
    };
    let (probabilities, logits, kind) = match &output.meaning {
        Meaning::Probabilities { logits } => {
            (output.tensor.clone(), logits.clone(), OutputKind::Probabilities)
        }
        Meaning::Open => {
            let axis = vec![attribute::int("axis", 1)];
            let appended = converter.graph.node("Softmax", "probabilities", &[&output.tensor], axis);
            (appended, output.tensor.clone(), OutputKind::SoftmaxAppended)
        }
        Meaning::Squashed(function) => {
            return Err(not_a_classifier(format!(
                "its output {:?} is made from {function} values, which are neither the probabilities of one softmax \
                 over the classes nor logits",
                shortened(&output.tensor)
            )));
        }
    };
    converter.graph.output_f32(&probabilities, &[Extent::batch(), Extent::Fixed(classes as u64)]);
    Ok(End { probabilities, logits, classes, kind })
}
