//! From a Keras model and its weights to an ONNX graph.
//!
//! The graph's input keeps the Keras layout. The tensor that leaves a layer has the layer's name
//! (`MODEL/LAYER` within a model, with `/call_2` and so on for repeated calls); layers that do nothing when
//! the network answers have no tensor of their own. Pictures are `[N, C, H, W]` inside the graph, and the
//! weights are initializers under the names and in the orders of [`super::parameter`].

mod activation;
mod convolution;
mod dense;
mod guard;
mod merge;
mod normalization;
mod pooling;
mod resize;
mod shape;
mod value;
mod walk;

use std::collections::HashMap;

use ndarray::arr0;

pub(super) use guard::keep_pads_apart;
pub(super) use value::{AxisOrder, Meaning, Value};

use super::activation::Activation;
use super::fault::{damaged, shortened};
use super::hdf5_file::MOST_ELEMENTS;
use super::layer::Layer;
use super::parameter::{Parameter, Storage};
use super::weights::Weights;
use crate::NetworkError;
use crate::description::LayerSummary;
use crate::onnx::GraphBuilder;

/// The most elements of one tensor of one image on its way through the network.
pub(super) const MOST_ACTIVATIONS: usize = 1 << 30;

/// One call of one layer.
#[derive(Debug, Clone)]
struct Site {
    /// `LAYER`, or `MODEL/LAYER` within a model.
    path: String,
    /// Name for the tensor that leaves.
    tensor: String,
}

impl Site {
    /// The error that the layer cannot take this input.
    fn misfit(&self, inputs: &[Value], reason: &str) -> NetworkError {
        let shapes: Vec<_> = inputs.iter().take(8).map(|input| format!("{:?}", input.shape)).collect();
        damaged(format!("layer {:?} with input {}: {reason}", shortened(&self.path), shapes.join(", ")))
    }

    /// The name of what the layer computes before its activation: its own when nothing follows.
    fn before(&self, activation: Activation) -> String {
        match activation {
            Activation::Linear => self.tensor.clone(),
            Activation::Softmax(_) => self.part("logits"),
            _ => self.part("linear"),
        }
    }

    /// A name below the layer's own.
    fn part(&self, part: &str) -> String {
        format!("{}/{part}", self.tensor)
    }
}

/// The graph in the making.
pub(super) struct Converter<'a> {
    /// The graph so far.
    pub(super) graph: GraphBuilder,
    /// Every weight stored so far.
    pub(super) parameters: Vec<Parameter>,
    /// Every layer met so far, in the order of execution.
    pub(super) layers: Vec<LayerSummary>,
    weights: &'a Weights,
    /// A tensor and an order of axes: the tensor that has the same in that order.
    turned: HashMap<(String, AxisOrder), String>,
    calls: HashMap<String, usize>,
    elements: usize,
    steps: usize,
}

impl<'a> Converter<'a> {
    /// An empty graph of this name, to be filled from `weights`.
    pub(super) fn new(name: &str, weights: &'a Weights) -> Self {
        Self {
            graph: GraphBuilder::new(name),
            parameters: Vec::new(),
            layers: Vec::new(),
            weights,
            turned: HashMap::new(),
            calls: HashMap::new(),
            elements: 0,
            steps: 0,
        }
    }

    /// Count of all weights stored so far.
    pub(super) fn parameter_count(&self) -> usize {
        self.elements
    }

    /// Adds the nodes of one call of a layer.
    fn layer(&mut self, site: &Site, layer: &Layer, inputs: &[Value]) -> Result<Value, NetworkError> {
        if let Layer::Merge(merge) = layer {
            return self.merge(site, *merge, inputs);
        }
        if let Layer::Concatenate { axis } = layer {
            return self.concatenate(site, *axis, inputs);
        }
        let [input] = inputs else {
            return Err(site.misfit(inputs, "it takes one input"));
        };
        let output = match layer {
            Layer::Convolution(layer) => self.convolution(site, layer, input),
            Layer::Depthwise(layer) => self.depthwise(site, layer, input),
            Layer::Separable(layer) => self.separable(site, layer, input),
            Layer::Dense(layer) => self.dense(site, layer, input),
            Layer::Pooling(pooled, sliding) => self.pooling(site, *pooled, sliding, input),
            Layer::GlobalPooling { pooled, format, keep_axes } => {
                self.global_pooling(site, *pooled, *format, *keep_axes, input)
            }
            Layer::BatchNormalization(layer) => self.batch_normalization(site, layer, input),
            Layer::Activation(activation) => self.activation(site, *activation, input),
            Layer::ParametricRelu { shared_axes } => self.parametric_relu(site, shared_axes, input),
            Layer::Flatten { format } => Ok(self.flatten(site, *format, input)),
            Layer::Reshape { target } => self.reshape(site, target, input),
            Layer::Permute { axes } => self.permute(site, axes, input),
            Layer::ZeroPadding { borders, format } => self.zero_padding(site, *borders, *format, input),
            Layer::Cropping { borders, format } => self.cropping(site, *borders, *format, input),
            Layer::UpSampling { factors, interpolation, format } => {
                self.up_sampling(site, *factors, *interpolation, *format, input)
            }
            Layer::Rescaling { scale, offset } => Ok(self.rescaling(site, *scale, *offset, input)),
            Layer::Identity => Ok(input.clone()),
            Layer::Merge(_) | Layer::Concatenate { .. } => {
                Err(site.misfit(inputs, "it takes several inputs"))
            }
        }?;
        let elements = output.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        if elements.is_none_or(|elements| elements > MOST_ACTIVATIONS) {
            return Err(NetworkError::TooLarge {
                what: format!("the count of elements that leave layer {:?}", shortened(&site.path)),
                found: elements.map_or(u64::MAX, |elements| elements as u64),
                limit: MOST_ACTIVATIONS as u64,
            });
        }
        Ok(output)
    }

    /// Where a weight of the layer was stored by an earlier call.
    fn stored(&self, site: &Site, role: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|known| known.path == site.path && known.role == role)
    }

    /// Stores a weight that must have this Keras shape, once a layer, and answers its initializer's name.
    fn weight(
        &mut self,
        site: &Site,
        role: &'static str,
        shape: &[usize],
        storage: Storage,
    ) -> Result<String, NetworkError> {
        if let Some(known) = self.stored(site, role) {
            if known.shape != shape || known.storage != storage {
                let fault =
                    format!("layer {:?} is called with inputs of different sizes", shortened(&site.path));
                return Err(damaged(fault));
            }
            return Ok(known.initializer.clone());
        }
        self.elements = self.elements.saturating_add(shape.iter().product());
        if self.elements > MOST_ELEMENTS {
            return Err(NetworkError::TooLarge {
                what: "the count of weights".to_owned(),
                found: self.elements as u64,
                limit: MOST_ELEMENTS as u64,
            });
        }
        let values = storage.to_onnx(shape, self.weights.values(&site.path, role, shape)?);
        let values = values.map_err(|error| damaged(format!("{role} of layer {:?}: {error}", site.path)))?;
        let initializer = self.graph.initializer_f32(&format!("{}/{role}:0", site.path), values.view());
        self.parameters.push(Parameter {
            path: site.path.clone(),
            role,
            shape: shape.to_vec(),
            storage,
            initializer: initializer.clone(),
        });
        Ok(initializer)
    }

    /// Adds one number, shape `[]`, below the layer's name.
    fn number(&mut self, site: &Site, part: &str, value: f32) -> String {
        self.graph.initializer_f32(&site.part(part), arr0(value).view())
    }
}
