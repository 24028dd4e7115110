//! Activation functions.

use super::super::activation::{Activation, BoundedRelu};
use super::super::parameter::Storage;
use super::{AxisOrder, Converter, Meaning, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    /// Applies an activation; the result has the layer's own name.
    pub(super) fn activation(
        &mut self,
        site: &Site,
        activation: Activation,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let x = input.tensor.as_str();
        let simple = |operator: &'static str| (operator, Vec::new());
        let (operator, attributes) = match activation {
            Activation::Linear => return Ok(input.clone()),
            Activation::BoundedRelu(bounded) => return Ok(self.bounded_relu(site, bounded, input)),
            Activation::Swish | Activation::Mish | Activation::Gelu => {
                return Ok(self.gated(site, activation, input));
            }
            Activation::Softmax(axis) => return self.softmax(site, axis, input),
            Activation::LogSoftmax => {
                let axis = input.shape.len().checked_sub(1).map_or(1, |last| input.onnx_axis(last));
                ("LogSoftmax", vec![attribute::int("axis", axis as i64)])
            }
            Activation::Relu => simple("Relu"),
            Activation::LeakyRelu(slope) => ("LeakyRelu", vec![attribute::float("alpha", slope)]),
            Activation::Elu(alpha) => ("Elu", vec![attribute::float("alpha", alpha)]),
            Activation::Selu => simple("Selu"),
            Activation::Softplus => simple("Softplus"),
            Activation::Softsign => simple("Softsign"),
            Activation::Tanh => simple("Tanh"),
            Activation::Sigmoid => simple("Sigmoid"),
            Activation::HardSigmoid(slope) => {
                ("HardSigmoid", vec![attribute::float("alpha", slope), attribute::float("beta", 0.5)])
            }
            Activation::HardSwish => simple("HardSwish"),
            Activation::Exponential => simple("Exp"),
        };
        let tensor = self.graph.node(operator, &site.tensor, &[x], attributes);
        let meaning = match (activation.squashes(), &input.meaning) {
            (Some(function), _) => Meaning::Squashed(function),
            (None, Meaning::Open) => Meaning::Open,
            (None, Meaning::Probabilities { .. }) => Meaning::Squashed("softmax"),
            (None, squashed) => squashed.clone(),
        };
        Ok(Value { meaning, ..input.renamed(tensor) })
    }

    fn softmax(&mut self, site: &Site, axis: i64, input: &Value) -> Result<Value, NetworkError> {
        let axis = input
            .axis(axis)
            .ok_or_else(|| site.misfit(std::slice::from_ref(input), "there is no such softmax axis"))?;
        let attributes = vec![attribute::int("axis", input.onnx_axis(axis) as i64)];
        let tensor = self.graph.node("Softmax", &site.tensor, &[&input.tensor], attributes);
        let meaning = match (&input.meaning, input.shape.len()) {
            (Meaning::Open, 1) => Meaning::Probabilities { logits: input.tensor.clone() },
            _ => Meaning::Squashed("softmax"),
        };
        Ok(Value { meaning, ..input.renamed(tensor) })
    }

    fn bounded_relu(&mut self, site: &Site, bounded: BoundedRelu, input: &Value) -> Value {
        let BoundedRelu { slope, threshold, maximum } = bounded;
        let x = input.tensor.as_str();
        if let Some(maximum) = maximum
            && slope == 0.0
            && threshold == 0.0
        {
            let (zero, maximum) = (self.number(site, "minimum", 0.0), self.number(site, "maximum", maximum));
            let tensor = self.graph.node("Clip", &site.tensor, &[x, &zero, &maximum], Vec::new());
            return input.renamed(tensor);
        }
        let name = if maximum.is_some() { site.part("unbounded") } else { site.tensor.clone() };
        let mut tensor = if threshold == 0.0 {
            self.graph.node("LeakyRelu", &name, &[x], vec![attribute::float("alpha", slope)])
        } else {
            let threshold = self.number(site, "threshold", threshold);
            let slope = self.number(site, "slope", slope);
            let beyond = self.graph.node("Sub", &site.part("beyond"), &[x, &threshold], Vec::new());
            let below = self.graph.node("Mul", &site.part("below"), &[&beyond, &slope], Vec::new());
            let passes =
                self.graph.node("GreaterOrEqual", &site.part("passes"), &[x, &threshold], Vec::new());
            self.graph.node("Where", &name, &[&passes, x, &below], Vec::new())
        };
        if let Some(maximum) = maximum {
            let maximum = self.number(site, "maximum", maximum);
            tensor = self.graph.node("Min", &site.tensor, &[&tensor, &maximum], Vec::new());
        }
        input.renamed(tensor)
    }

    /// The functions that multiply their input with a gate made from it.
    fn gated(&mut self, site: &Site, activation: Activation, input: &Value) -> Value {
        let x = input.tensor.as_str();
        let gate = match activation {
            Activation::Swish => self.graph.node("Sigmoid", &site.part("gate"), &[x], Vec::new()),
            Activation::Mish => {
                let soft = self.graph.node("Softplus", &site.part("softplus"), &[x], Vec::new());
                self.graph.node("Tanh", &site.part("gate"), &[&soft], Vec::new())
            }
            _ => {
                let root = self.number(site, "root_of_two", std::f32::consts::SQRT_2);
                let (one, half) = (self.number(site, "one", 1.0), self.number(site, "half", 0.5));
                let scaled = self.graph.node("Div", &site.part("scaled"), &[x, &root], Vec::new());
                let erf = self.graph.node("Erf", &site.part("erf"), &[&scaled], Vec::new());
                let raised = self.graph.node("Add", &site.part("raised"), &[&erf, &one], Vec::new());
                self.graph.node("Mul", &site.part("gate"), &[&raised, &half], Vec::new())
            }
        };
        let tensor = self.graph.node("Mul", &site.tensor, &[x, &gate], Vec::new());
        Value { meaning: Meaning::Open, ..input.renamed(tensor) }
    }

    pub(super) fn parametric_relu(
        &mut self,
        site: &Site,
        shared_axes: &[usize],
        input: &Value,
    ) -> Result<Value, NetworkError> {
        // A second call must meet the slopes in the order in which the first stored them.
        let order = match self.stored(site, "alpha").map(|known| known.storage) {
            Some(Storage::ChannelsFirst) => AxisOrder::LastFirst,
            Some(_) => AxisOrder::Keras,
            None => input.order,
        };
        let input = self.turned(input, order);
        let mut shape = input.shape.clone();
        for axis in shared_axes {
            match shape.get_mut(axis - 1) {
                Some(shared) => *shared = 1,
                None => return Err(site.misfit(&[input], "there is no such shared axis")),
            }
        }
        let storage = match order {
            AxisOrder::LastFirst if shape.len() >= 2 => Storage::ChannelsFirst,
            _ => Storage::Keras,
        };
        let alpha = self.weight(site, "alpha", &shape, storage)?;
        let tensor = self.graph.node("PRelu", &site.tensor, &[&input.tensor, &alpha], Vec::new());
        Ok(input.renamed(tensor))
    }

    pub(super) fn rescaling(&mut self, site: &Site, scale: f32, offset: f32, input: &Value) -> Value {
        let factor = self.number(site, "scale", scale);
        let offset = self.number(site, "offset", offset);
        let scaled = self.graph.node("Mul", &site.part("scaled"), &[&input.tensor, &factor], Vec::new());
        let tensor = self.graph.node("Add", &site.tensor, &[&scaled, &offset], Vec::new());
        let meaning = match &input.meaning {
            Meaning::Probabilities { .. } => Meaning::Squashed("softmax"),
            other => other.clone(),
        };
        Value { meaning, ..input.renamed(tensor) }
    }
}
