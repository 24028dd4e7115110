//! Fully connected layers.

use super::super::layer::Dense;
use super::super::parameter::Storage;
use super::{AxisOrder, Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    /// One `Gemm` for vectors; tensors of a higher rank are multiplied along their last axis.
    pub(super) fn dense(&mut self, site: &Site, layer: &Dense, input: &Value) -> Result<Value, NetworkError> {
        let input = self.turned(input, AxisOrder::Keras);
        let Some((inputs, rest)) = input.shape.split_last() else {
            return Err(site.misfit(&[input], "it takes at least a vector"));
        };
        let kernel = self.weight(site, "kernel", &[*inputs, layer.units], Storage::Keras)?;
        let bias =
            layer.bias.then(|| self.weight(site, "bias", &[layer.units], Storage::Keras)).transpose()?;
        let name = site.before(layer.activation);
        let tensor = match bias {
            Some(bias) if rest.is_empty() => {
                let attributes = vec![attribute::float("alpha", 1.0), attribute::float("beta", 1.0)];
                self.graph.node("Gemm", &name, &[&input.tensor, &kernel, &bias], attributes)
            }
            Some(bias) => {
                let product =
                    self.graph.node("MatMul", &site.part("product"), &[&input.tensor, &kernel], Vec::new());
                self.graph.node("Add", &name, &[&product, &bias], Vec::new())
            }
            None => self.graph.node("MatMul", &name, &[&input.tensor, &kernel], Vec::new()),
        };
        let shape = rest.iter().copied().chain([layer.units]).collect();
        self.activation(site, layer.activation, &Value::keras(tensor, shape))
    }
}
