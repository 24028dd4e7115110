//! Convolutions: plain, depthwise and separable.

use super::super::layer::{Convolution, Depthwise, Separable, Sliding};
use super::super::padding::{Slide, Window};
use super::super::parameter::Storage;
use super::value::Planes;
use super::{Converter, Site, Value};
use crate::NetworkError;
use crate::onnx::attribute;
use crate::onnx::messages::AttributeProto;

/// What a window makes of rows and columns.
pub(super) struct Slid {
    /// Rows and columns of the output.
    pub(super) size: [usize; 2],
    /// `[top, left, bottom, right]`, as ONNX has them.
    pub(super) pads: [i64; 4],
}

/// Slides a window over a picture; none when it does not fit.
pub(super) fn slide(sliding: &Sliding, size: [usize; 2]) -> Option<Slid> {
    let axis = |axis: usize| -> Option<Slide> {
        let window = Window {
            length: sliding.size[axis],
            stride: sliding.strides[axis],
            dilation: sliding.dilation[axis],
        };
        window.slide(size[axis], sliding.padding)
    };
    let (rows, columns) = (axis(0)?, axis(1)?);
    Some(Slid {
        size: [rows.outputs, columns.outputs],
        pads: [rows.before as i64, columns.before as i64, rows.after as i64, columns.after as i64],
    })
}

/// A pair of sizes as an attribute.
pub(super) fn pair(name: &str, sizes: [usize; 2]) -> AttributeProto {
    attribute::ints(name, &sizes.map(|size| size as i64))
}

/// The node of a convolution: its name, weights and groups.
struct Node {
    name: String,
    kernel: String,
    bias: Option<String>,
    groups: usize,
    filters: usize,
}

impl Converter<'_> {
    fn conv(
        &mut self,
        site: &Site,
        input: &Planes,
        sliding: &Sliding,
        node: &Node,
    ) -> Result<Planes, NetworkError> {
        let slid = slide(sliding, input.size).ok_or_else(|| {
            let value = input.clone().value();
            site.misfit(&[value], "the window does not fit into the picture")
        })?;
        let attributes = vec![
            pair("kernel_shape", sliding.size),
            pair("strides", sliding.strides),
            pair("dilations", sliding.dilation),
            attribute::ints("pads", &slid.pads),
            attribute::int("group", node.groups as i64),
        ];
        let inputs: Vec<&str> =
            [input.tensor.as_str(), &node.kernel].into_iter().chain(node.bias.as_deref()).collect();
        let tensor = self.graph.node("Conv", &node.name, &inputs, attributes);
        Ok(input.with(tensor, node.filters, slid.size))
    }

    fn bias(&mut self, site: &Site, present: bool, outputs: usize) -> Result<Option<String>, NetworkError> {
        present.then(|| self.weight(site, "bias", &[outputs], Storage::Keras)).transpose()
    }

    fn picture(&mut self, site: &Site, sliding: &Sliding, input: &Value) -> Result<Planes, NetworkError> {
        self.planes(input, sliding.format)
            .ok_or_else(|| site.misfit(std::slice::from_ref(input), "it takes pictures"))
    }

    pub(super) fn convolution(
        &mut self,
        site: &Site,
        layer: &Convolution,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let picture = self.picture(site, &layer.sliding, input)?;
        if !picture.channels.is_multiple_of(layer.groups) {
            return Err(site.misfit(std::slice::from_ref(input), "its groups do not divide the channels"));
        }
        let [height, width] = layer.sliding.size;
        let shape = [height, width, picture.channels / layer.groups, layer.filters];
        let node = Node {
            name: site.before(layer.activation),
            kernel: self.weight(site, "kernel", &shape, Storage::Kernel)?,
            bias: self.bias(site, layer.bias, layer.filters)?,
            groups: layer.groups,
            filters: layer.filters,
        };
        let output = self.conv(site, &picture, &layer.sliding, &node)?.value();
        self.activation(site, layer.activation, &output)
    }

    pub(super) fn depthwise(
        &mut self,
        site: &Site,
        layer: &Depthwise,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let picture = self.picture(site, &layer.sliding, input)?;
        let kernel = self.depthwise_kernel(site, &layer.sliding, layer.multiplier, &picture)?;
        let filters = picture.channels * layer.multiplier;
        let node = Node {
            name: site.before(layer.activation),
            kernel,
            bias: self.bias(site, layer.bias, filters)?,
            groups: picture.channels,
            filters,
        };
        let output = self.conv(site, &picture, &layer.sliding, &node)?.value();
        self.activation(site, layer.activation, &output)
    }

    pub(super) fn separable(
        &mut self,
        site: &Site,
        layer: &Separable,
        input: &Value,
    ) -> Result<Value, NetworkError> {
        let picture = self.picture(site, &layer.sliding, input)?;
        let between = picture.channels.saturating_mul(layer.multiplier);
        let depthwise = Node {
            name: site.part("depthwise"),
            kernel: self.depthwise_kernel(site, &layer.sliding, layer.multiplier, &picture)?,
            bias: None,
            groups: picture.channels,
            filters: between,
        };
        let picture = self.conv(site, &picture, &layer.sliding, &depthwise)?;
        let pointwise = Node {
            name: site.before(layer.activation),
            kernel: self.weight(
                site,
                "pointwise_kernel",
                &[1, 1, between, layer.filters],
                Storage::Kernel,
            )?,
            bias: self.bias(site, layer.bias, layer.filters)?,
            groups: 1,
            filters: layer.filters,
        };
        let point = Sliding { size: [1, 1], strides: [1, 1], dilation: [1, 1], ..layer.sliding };
        let output = self.conv(site, &picture, &point, &pointwise)?.value();
        self.activation(site, layer.activation, &output)
    }

    fn depthwise_kernel(
        &mut self,
        site: &Site,
        sliding: &Sliding,
        multiplier: usize,
        picture: &Planes,
    ) -> Result<String, NetworkError> {
        let [height, width] = sliding.size;
        let shape = [height, width, picture.channels, multiplier];
        self.weight(site, "depthwise_kernel", &shape, Storage::Depthwise)
    }
}
