//! Batch normalisation with the statistics of training.

use ndarray::Array1;

use super::super::layer::BatchNormalization;
use super::super::parameter::Storage;
use super::{AxisOrder, Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    pub(super) fn batch_normalization(
        &mut self,
        site: &Site,
        layer: &BatchNormalization,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let misfit = |reason| site.misfit(std::slice::from_ref(input), reason);
        let axis = input.axis(layer.axis).ok_or_else(|| misfit("there is no such axis to normalise"))?;
        // ONNX normalises the axis after the batch axis: the last one of Keras, or the first.
        let order = match axis {
            _ if axis + 1 == input.shape.len() && axis > 0 => AxisOrder::LastFirst,
            0 => AxisOrder::Keras,
            _ => return Err(misfit("only the first or the last axis can be normalised")),
        };
        let input = self.turned(input, order);
        let shape = [input.shape[axis]];
        // First, because the file must have these: they bound what is reserved for the others.
        let mean = self.weight(site, "moving_mean", &shape, Storage::Keras)?;
        let variance = self.weight(site, "moving_variance", &shape, Storage::Keras)?;
        let gamma = if layer.scale {
            self.weight(site, "gamma", &shape, Storage::Keras)?
        } else {
            self.graph.initializer_f32(&site.part("ones"), Array1::<f32>::ones(shape[0]).view())
        };
        let beta = if layer.center {
            self.weight(site, "beta", &shape, Storage::Keras)?
        } else {
            self.graph.initializer_f32(&site.part("zeros"), Array1::<f32>::zeros(shape[0]).view())
        };
        let inputs = [input.tensor.as_str(), &gamma, &beta, &mean, &variance];
        let attributes = vec![attribute::float("epsilon", layer.epsilon)];
        let tensor = self.graph.node("BatchNormalization", &site.tensor, &inputs, attributes);
        Ok(Value::keras(tensor, input.shape.clone()).in_order(order))
    }
}
