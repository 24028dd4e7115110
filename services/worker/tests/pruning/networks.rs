//! Small networks of the kinds that are pruned.

use gifthorse_network::onnx::{self, Extent, GraphBuilder, OnnxOptions, attribute};
use gifthorse_network::{Imported, Layout};
use ndarray::{ArrayD, IxDyn};
use prost::Message as _;

/// Weights without a pattern that matters, different for each name.
fn weights(name: &str, shape: &[usize]) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let fan_in: usize = shape.iter().skip(1).product();
    // Biases are small, or they alone would choose the class.
    let scale = if shape.len() == 1 { 0.2 } else { 1.7 / (fan_in as f32).sqrt() };
    let mut state =
        name.bytes().fold(0x811c_9dc5_u32, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193))
            | 1;
    let values = (0..count).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
    });
    ArrayD::from_shape_vec(IxDyn(shape), values.collect()).unwrap()
}

struct Net {
    graph: GraphBuilder,
    image: String,
}

impl Net {
    fn new(sizes: [u64; 3]) -> Self {
        let mut graph = GraphBuilder::new("small");
        let shape: Vec<Extent> = [Extent::batch()].into_iter().chain(sizes.map(Extent::Fixed)).collect();
        let image = graph.input_f32("image", &shape);
        Self { graph, image }
    }

    fn node(&mut self, operator: &str, name: &str, inputs: &[&str]) -> String {
        self.graph.node(operator, name, inputs, Vec::new())
    }

    fn weights(&mut self, name: &str, shape: &[usize]) -> String {
        self.graph.initializer_f32(name, weights(name, shape).view())
    }

    /// Three by three, keeping rows and columns over the stride.
    fn conv(
        &mut self,
        name: &str,
        input: &str,
        [made, taken]: [usize; 2],
        stride: i64,
        bias: bool,
    ) -> String {
        let kernel = self.weights(&format!("{name}.weight"), &[made, taken, 3, 3]);
        let attributes = vec![attribute::ints("pads", &[1; 4]), attribute::ints("strides", &[stride; 2])];
        if bias {
            let bias = self.weights(&format!("{name}.bias"), &[made]);
            self.graph.node("Conv", name, &[input, &kernel, &bias], attributes)
        } else {
            self.graph.node("Conv", name, &[input, &kernel], attributes)
        }
    }

    fn norm(&mut self, name: &str, input: &str, channels: usize) -> String {
        let [shift, mean] =
            ["shift", "mean"].map(|part| self.weights(&format!("{name}.{part}"), &[channels]));
        let scale = format!("{name}.scale");
        let scales = weights(&scale, &[channels]).mapv(|value| value + 1.0);
        let scale = self.graph.initializer_f32(&scale, scales.view());
        let variance = weights(name, &[channels]).mapv(|value| value.abs() + 0.3);
        let variance = self.graph.initializer_f32(&format!("{name}.variance"), variance.view());
        self.node("BatchNormalization", name, &[input, &scale, &shift, &mean, &variance])
    }

    fn pool(&mut self, name: &str, input: &str) -> String {
        let attributes = vec![attribute::ints("kernel_shape", &[2, 2]), attribute::ints("strides", &[2, 2])];
        self.graph.node("MaxPool", name, &[input], attributes)
    }

    fn dense(&mut self, name: &str, input: &str, [made, taken]: [usize; 2]) -> String {
        let matrix = self.weights(&format!("{name}.weight"), &[made, taken]);
        let bias = self.weights(&format!("{name}.bias"), &[made]);
        self.graph.node("Gemm", name, &[input, &matrix, &bias], vec![attribute::int("transB", 1)])
    }

    fn finish(mut self, logits: &str, classes: u64) -> Imported {
        self.graph.output_f32(logits, &[Extent::batch(), Extent::Fixed(classes)]);
        let bytes = self.graph.finish().encode_to_vec();
        let options = OnnxOptions { layout: Some(Layout::Nchw), ..OnnxOptions::default() };
        onnx::import(&bytes, &options).unwrap()
    }
}

/// As the face networks of the course: two dense layers read `pool_3`, one of them through `conv_4`.
pub(crate) fn deepid_like() -> Imported {
    let mut net = Net::new([3, 16, 16]);
    let mut input = net.image.clone();
    for (index, [made, taken]) in [[8, 3], [12, 8], [16, 12]].into_iter().enumerate() {
        let made = net.conv(&format!("conv_{}", index + 1), &input, [made, taken], 1, true);
        let made = net.node("Relu", &format!("relu_{}", index + 1), &[&made]);
        input = net.pool(&format!("pool_{}", index + 1), &made);
    }
    let last = net.conv("conv_4", &input, [20, 16], 1, true);
    let last = net.node("Relu", "relu_4", &[&last]);
    let (one, two) = (net.node("Flatten", "flat_1", &[&input]), net.node("Flatten", "flat_2", &[&last]));
    let (one, two) = (net.dense("fc_1", &one, [24, 64]), net.dense("fc_2", &two, [24, 80]));
    let sum = net.node("Add", "sum", &[&one, &two]);
    let sum = net.node("Relu", "sum_relu", &[&sum]);
    let logits = net.dense("output", &sum, [11, 24]);
    net.finish(&logits, 11)
}

/// As ResNet-18 before folding: a stem, then blocks of two normalised convolutions with their shortcuts.
pub(crate) fn residual() -> Imported {
    let mut net = Net::new([3, 16, 16]);
    let image = net.image.clone();
    let stem = net.conv("stem", &image, [8, 3], 1, false);
    let stem = net.norm("stem_norm", &stem, 8);
    let mut input = net.node("Relu", "stem_relu", &[&stem]);
    for (block, [made, taken], stride) in [("layer1", [8, 8], 1), ("layer2", [16, 8], 2)] {
        let one = net.conv(&format!("{block}.conv1"), &input, [made, taken], stride, false);
        let one = net.norm(&format!("{block}.norm1"), &one, made);
        let one = net.node("Relu", &format!("{block}.relu1"), &[&one]);
        let two = net.conv(&format!("{block}.conv2"), &one, [made, made], 1, false);
        let two = net.norm(&format!("{block}.norm2"), &two, made);
        let shortcut = if stride == 1 {
            input
        } else {
            let turned = net.conv(&format!("{block}.shortcut"), &input, [made, taken], stride, false);
            net.norm(&format!("{block}.shortcut_norm"), &turned, made)
        };
        let sum = net.node("Add", &format!("{block}.sum"), &[&two, &shortcut]);
        input = net.node("Relu", &format!("{block}.relu2"), &[&sum]);
    }
    let pooled = net.node("GlobalAveragePool", "pooled", &[&input]);
    let flat = net.node("Flatten", "flat", &[&pooled]);
    let logits = net.dense("fc", &flat, [11, 16]);
    net.finish(&logits, 11)
}

/// As VGG: convolutions, normalised or not, and poolings in a chain, then dense layers.
pub(crate) fn vgg_like() -> Imported {
    let mut net = Net::new([3, 16, 16]);
    let mut input = net.image.clone();
    for (index, [made, taken]) in [[8, 3], [12, 8], [12, 12]].into_iter().enumerate() {
        let mut made_now = net.conv(&format!("features.conv{index}"), &input, [made, taken], 1, true);
        if index == 2 {
            made_now = net.norm(&format!("features.norm{index}"), &made_now, made);
        }
        let made_now = net.node("Relu", &format!("features.relu{index}"), &[&made_now]);
        input = net.pool(&format!("features.pool{index}"), &made_now);
    }
    let flat = net.node("Flatten", "flat", &[&input]);
    let hidden = net.dense("classifier.0", &flat, [24, 48]);
    let hidden = net.node("Relu", "classifier.1", &[&hidden]);
    let logits = net.dense("classifier.2", &hidden, [11, 24]);
    net.finish(&logits, 11)
}
