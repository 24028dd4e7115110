//! Networks written node by node, with weights that Python can make as well.

use gifthorse_network::onnx::messages::AttributeProto;
use gifthorse_network::onnx::{Extent, GraphBuilder, OnnxOptions, attribute, import};
use gifthorse_network::{Imported, Layout};
use prost::Message as _;

use super::wave;

/// A network in the making.
pub(crate) struct Net {
    pub(crate) graph: GraphBuilder,
    pub(crate) image: String,
    layout: Layout,
    /// Stored tensors so far: each gets a salt of its own.
    count: f64,
}

impl Net {
    /// Images of these sizes, the batch free.
    pub(crate) fn new(layout: Layout, sizes: [u64; 3]) -> Self {
        let mut graph = GraphBuilder::new("net");
        let shape: Vec<Extent> = [Extent::batch()].into_iter().chain(sizes.map(Extent::Fixed)).collect();
        let image = graph.input_f32("image", &shape);
        Self { graph, image, layout, count: 0.0 }
    }

    /// A stored tensor: a wave of the given height around `around`.
    pub(crate) fn stored(&mut self, name: &str, shape: &[usize], height: f64, around: f32) -> String {
        self.count += 1.0;
        let values = wave(shape, self.count, height) + around;
        self.graph.initializer_f32(name, values.view())
    }

    pub(crate) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = format!("{}_{}", operator.to_lowercase(), inputs[0]);
        self.graph.node(operator, &name, inputs, attributes)
    }

    pub(crate) fn relu(&mut self, input: &str) -> String {
        self.node("Relu", &[input], vec![])
    }

    /// A convolution: kernel `[made, taken / groups, side, side]`, with a bias.
    pub(crate) fn conv(
        &mut self,
        name: &str,
        input: &str,
        [made, taken, side]: [usize; 3],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let height = (2.0 / (taken * side * side) as f64).sqrt() * 1.4;
        let kernel = self.stored(&format!("{name}.weight"), &[made, taken, side, side], height, 0.0);
        let bias = self.stored(&format!("{name}.bias"), &[made], 0.1, 0.0);
        self.graph.node("Conv", name, &[input, &kernel, &bias], attributes)
    }

    /// A convolution that keeps rows and columns, or halves them with a stride of two.
    pub(crate) fn same_conv(&mut self, name: &str, input: &str, shape: [usize; 3], stride: i64) -> String {
        let pad = shape[2] as i64 / 2;
        let attributes = vec![attribute::ints("pads", &[pad; 4]), attribute::ints("strides", &[stride; 2])];
        self.conv(name, input, shape, attributes)
    }

    pub(crate) fn batch_norm(&mut self, name: &str, input: &str, channels: usize) -> String {
        let scale = self.stored(&format!("{name}.weight"), &[channels], 0.3, 1.0);
        let shift = self.stored(&format!("{name}.bias"), &[channels], 0.2, 0.0);
        let mean = self.stored(&format!("{name}.running_mean"), &[channels], 0.2, 0.0);
        let variance = self.stored(&format!("{name}.running_var"), &[channels], 0.4, 1.0);
        let inputs = [input, &scale, &shift, &mean, &variance];
        self.graph.node("BatchNormalization", name, &inputs, vec![attribute::float("epsilon", 1e-5)])
    }

    pub(crate) fn pool(&mut self, input: &str) -> String {
        let attributes = vec![attribute::ints("kernel_shape", &[2, 2]), attribute::ints("strides", &[2, 2])];
        self.node("MaxPool", &[input], attributes)
    }

    pub(crate) fn flat(&mut self, input: &str) -> String {
        self.node("Flatten", &[input], vec![])
    }

    /// A dense layer with weights `[made, taken]`, as PyTorch stores them.
    pub(crate) fn dense(&mut self, name: &str, input: &str, [made, taken]: [usize; 2]) -> String {
        let height = (2.0 / taken as f64).sqrt() * 1.4;
        let matrix = self.stored(&format!("{name}.weight"), &[made, taken], height, 0.0);
        let bias = self.stored(&format!("{name}.bias"), &[made], 0.1, 0.0);
        self.graph.node("Gemm", name, &[input, &matrix, &bias], vec![attribute::int("transB", 1)])
    }

    /// The network with these logits, as an import leaves it: a softmax appended.
    pub(crate) fn finish(mut self, logits: &str, classes: u64) -> Imported {
        self.graph.output_f32(logits, &[Extent::batch(), Extent::Fixed(classes)]);
        let options = OnnxOptions { layout: Some(self.layout), ..OnnxOptions::default() };
        import(&self.graph.finish().encode_to_vec(), &options).unwrap()
    }
}
