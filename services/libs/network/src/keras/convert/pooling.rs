//! Pooling over windows and over whole pictures.

use super::super::layer::{DataFormat, Pooled, Sliding};
use super::convolution::{pair, slide};
use super::{Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;

impl Converter<'_> {
    pub(super) fn pooling(
        &mut self,
        site: &Site,
        pooled: Pooled,
        sliding: &Sliding,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let misfit = |reason| site.misfit(std::slice::from_ref(input), reason);
        let picture = self.planes(input, sliding.format).ok_or_else(|| misfit("it takes pictures"))?;
        let slid =
            slide(sliding, picture.size).ok_or_else(|| misfit("the window does not fit into the picture"))?;
        let mut attributes = vec![
            pair("kernel_shape", sliding.size),
            pair("strides", sliding.strides),
            attribute::ints("pads", &slid.pads),
        ];
        let operator = match pooled {
            Pooled::Maximum => "MaxPool",
            Pooled::Average => {
                // TensorFlow divides by the pixels inside the picture alone.
                attributes.push(attribute::int("count_include_pad", 0));
                "AveragePool"
            }
        };
        let tensor = self.graph.node(operator, &site.tensor, &[&picture.tensor], attributes);
        Ok(picture.with(tensor, picture.channels, slid.size).value())
    }

    pub(super) fn global_pooling(
        &mut self,
        site: &Site,
        pooled: Pooled,
        format: DataFormat,
        keep_axes: bool,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let picture = self
            .planes(input, format)
            .ok_or_else(|| site.misfit(std::slice::from_ref(input), "it takes pictures"))?;
        let operator = match pooled {
            Pooled::Maximum => "GlobalMaxPool",
            Pooled::Average => "GlobalAveragePool",
        };
        let name = if keep_axes { site.tensor.clone() } else { site.part("pooled") };
        let tensor = self.graph.node(operator, &name, &[&picture.tensor], Vec::new());
        if keep_axes {
            return Ok(picture.with(tensor, picture.channels, [1, 1]).value());
        }
        let tensor = self.graph.node("Flatten", &site.tensor, &[&tensor], vec![attribute::int("axis", 1)]);
        Ok(Value::keras(tensor, vec![picture.channels]))
    }
}
