//! Small networks of the shapes that are to be cut.

use ndarray::{ArrayD, IxDyn};
use prost::Message as _;

use crate::onnx::{self, Extent, GraphBuilder, OnnxOptions, attribute};
use crate::{Imported, Layout};

/// Weights that are all different, and the same each time.
pub(super) fn weights(shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| (index as f32 * 0.37).sin() * 0.3).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

/// A network in the making.
pub(super) struct Net {
    pub(super) graph: GraphBuilder,
    pub(super) image: String,
}

impl Net {
    /// Images `[N, ...]` of these sizes; a batch of one when fixed.
    pub(super) fn new(batch: Extent, sizes: [u64; 3]) -> Self {
        let mut graph = GraphBuilder::new("small");
        let shape: Vec<Extent> = [batch].into_iter().chain(sizes.map(Extent::Fixed)).collect();
        let image = graph.input_f32("image", &shape);
        Self { graph, image }
    }

    /// A node without attributes.
    pub(super) fn node(&mut self, operator: &str, name: &str, inputs: &[&str]) -> String {
        self.graph.node(operator, name, inputs, Vec::new())
    }

    /// A convolution with a bias that keeps rows and columns.
    pub(super) fn conv(&mut self, name: &str, input: &str, shape: [usize; 3]) -> String {
        let [made, taken, side] = shape;
        let kernel =
            self.graph.initializer_f32(&format!("{name}.weight"), weights(&[made, taken, side, side]).view());
        let bias = self.graph.initializer_f32(&format!("{name}.bias"), weights(&[made]).view());
        let pad = side as i64 / 2;
        let attributes =
            vec![attribute::ints("pads", &[pad, pad, side as i64 - 1 - pad, side as i64 - 1 - pad])];
        self.graph.node("Conv", name, &[input, &kernel, &bias], attributes)
    }

    /// A normalisation of so many channels.
    pub(super) fn norm(&mut self, name: &str, input: &str, channels: usize) -> String {
        let [scale, shift, mean] = ["scale", "shift", "mean"]
            .map(|part| self.graph.initializer_f32(&format!("{name}.{part}"), weights(&[channels]).view()));
        let variance = weights(&[channels]).mapv(|value| value.abs() + 0.5);
        let variance = self.graph.initializer_f32(&format!("{name}.variance"), variance.view());
        self.node("BatchNormalization", name, &[input, &scale, &shift, &mean, &variance])
    }

    /// The greatest of two by two.
    pub(super) fn pool(&mut self, name: &str, input: &str) -> String {
        let attributes = vec![attribute::ints("kernel_shape", &[2, 2]), attribute::ints("strides", &[2, 2])];
        self.graph.node("MaxPool", name, &[input], attributes)
    }

    /// A dense layer, weights `[M, F]`.
    pub(super) fn dense(&mut self, name: &str, input: &str, [made, taken]: [usize; 2]) -> String {
        let matrix = self.graph.initializer_f32(&format!("{name}.weight"), weights(&[made, taken]).view());
        let bias = self.graph.initializer_f32(&format!("{name}.bias"), weights(&[made]).view());
        self.graph.node("Gemm", name, &[input, &matrix, &bias], vec![attribute::int("transB", 1)])
    }

    /// The network with these logits of `classes` classes, as an import leaves it.
    pub(super) fn finish(mut self, logits: &str, classes: u64, layout: Option<Layout>) -> Imported {
        self.graph.output_f32(logits, &[Extent::batch(), Extent::Fixed(classes)]);
        let bytes = self.graph.finish().encode_to_vec();
        onnx::import(&bytes, &OnnxOptions { layout, ..OnnxOptions::default() }).unwrap()
    }
}

/// Two residual blocks, the second with a convolution on its shortcut, then global pooling.
pub(super) fn residual() -> Imported {
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let stem = net.conv("stem", &image, [4, 3, 3]);
    let mut input = net.node("Relu", "stem_relu", &[&stem]);
    for block in ["block1", "block2"] {
        let one = net.conv(&format!("{block}.conv1"), &input, [4, 4, 3]);
        let one = net.node("Relu", &format!("{block}.relu1"), &[&one]);
        let two = net.conv(&format!("{block}.conv2"), &one, [4, 4, 3]);
        let shortcut = if block == "block1" { input } else { net.conv("block2.shortcut", &input, [4, 4, 1]) };
        let sum = net.node("Add", &format!("{block}.sum"), &[&two, &shortcut]);
        input = net.node("Relu", &format!("{block}.relu2"), &[&sum]);
    }
    let pooled = net.node("GlobalAveragePool", "pooled", &[&input]);
    let flat = net.node("Flatten", "flat", &[&pooled]);
    let logits = net.dense("fc", &flat, [5, 4]);
    net.finish(&logits, 5, None)
}

/// Convolutions and poolings in a chain, then two dense layers.
pub(super) fn chain() -> Imported {
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let mut input = net.image.clone();
    for (index, taken) in [3, 6].into_iter().enumerate() {
        let made = net.conv(&format!("conv{index}"), &input, [6, taken, 3]);
        let made = net.node("Relu", &format!("relu{index}"), &[&made]);
        input = net.pool(&format!("pool{index}"), &made);
    }
    let flat = net.node("Flatten", "flat", &[&input]);
    let hidden = net.dense("fc0", &flat, [7, 24]);
    let hidden = net.node("Relu", "fc0_relu", &[&hidden]);
    let logits = net.dense("fc1", &hidden, [5, 7]);
    net.finish(&logits, 5, None)
}

/// A last convolution that half of the network goes around, as in the face networks of the course.
pub(super) fn bypassed() -> Imported {
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let made = net.conv("conv_3", &image, [6, 3, 3]);
    let made = net.node("Relu", "relu_3", &[&made]);
    let pooled = net.pool("pool_3", &made);
    let last = net.conv("conv_4", &pooled, [4, 6, 3]);
    let last = net.node("Relu", "relu_4", &[&last]);
    let (one, two) = (net.node("Flatten", "flat_1", &[&pooled]), net.node("Flatten", "flat_2", &[&last]));
    let (one, two) = (net.dense("fc_1", &one, [7, 96]), net.dense("fc_2", &two, [7, 64]));
    let sum = net.node("Add", "sum", &[&one, &two]);
    let sum = net.node("Relu", "sum_relu", &[&sum]);
    let logits = net.dense("fc", &sum, [5, 7]);
    net.finish(&logits, 5, None)
}

/// Two branches joined, then a convolution to the classes, a rectifier and global pooling.
pub(super) fn fully_convolutional() -> Imported {
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let stem = net.conv("stem", &image, [4, 3, 3]);
    let (one, two) = (net.conv("one", &stem, [4, 4, 1]), net.conv("two", &stem, [4, 4, 3]));
    let joined = net.graph.node("Concat", "joined", &[&one, &two], vec![attribute::int("axis", 1)]);
    let maps = net.conv("head", &joined, [5, 8, 1]);
    let maps = net.node("Relu", "head_relu", &[&maps]);
    let pooled = net.node("GlobalAveragePool", "pooled", &[&maps]);
    let logits = net.node("Flatten", "flat", &[&pooled]);
    net.finish(&logits, 5, None)
}

/// Channels last, normalised inside, and with an output called as the guard's.
pub(super) fn channels_last(normalised: bool) -> Imported {
    let mut net = Net::new(Extent::batch(), [8, 6, 3]);
    let mut image = net.image.clone();
    if normalised {
        let mean = net.graph.initializer_f32("mean", weights(&[3]).view());
        image = net.node("Sub", "centred", &[&image, &mean]);
    }
    let turned = vec![attribute::ints("perm", &[0, 3, 1, 2])];
    let turned = net.graph.node("Transpose", "turned", &[&image], turned);
    let made = net.conv("conv", &turned, [4, 3, 3]);
    let made = net.node("Relu", "verdict", &[&made]);
    let pooled = net.node("GlobalAveragePool", "pooled", &[&made]);
    let flat = net.node("Flatten", "flat", &[&pooled]);
    let matrix = net.graph.initializer_f32("fc.weight", weights(&[4, 5]).view());
    let bias = net.graph.initializer_f32("fc.bias", weights(&[5]).view());
    let product = net.node("MatMul", "product", &[&flat, &matrix]);
    let logits = net.node("Add", "scores", &[&bias, &product]);
    net.finish(&logits, 5, Some(Layout::Nhwc))
}

/// A stem and one residual block, each convolution followed by a normalisation, as trained networks are
/// exported without folding.
pub(super) fn normalised() -> Imported {
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let stem = net.conv("stem", &image, [4, 3, 3]);
    let stem = net.norm("stem_norm", &stem, 4);
    let stem = net.node("Relu", "stem_relu", &[&stem]);
    let one = net.conv("conv1", &stem, [4, 4, 3]);
    let one = net.norm("norm1", &one, 4);
    let one = net.node("Relu", "relu1", &[&one]);
    let two = net.conv("conv2", &one, [4, 4, 3]);
    let two = net.norm("norm2", &two, 4);
    let sum = net.node("Add", "sum", &[&two, &stem]);
    let last = net.node("Relu", "relu2", &[&sum]);
    let pooled = net.node("GlobalAveragePool", "pooled", &[&last]);
    let flat = net.node("Flatten", "flat", &[&pooled]);
    let logits = net.dense("fc", &flat, [5, 4]);
    net.finish(&logits, 5, None)
}
