//! Small networks of the kinds that are repaired. `tests/data/reference.py` builds the same in PyTorch: order
//! and names of stored tensors matter.

use gifthorse_network::onnx::attribute::{float, int, ints};
use gifthorse_network::{Imported, Layout};

use super::net::Net;

/// As the face networks of the course, smaller: channels last, and a last convolution that half of the network
/// goes around.
pub(crate) fn deepid() -> Imported {
    let mut net = Net::new(Layout::Nhwc, [23, 20, 3]);
    let image = net.image.clone();
    let mut made = net.node("Transpose", &[&image], vec![ints("perm", &[0, 3, 1, 2])]);
    for (name, shape) in [("conv_1", [6, 3, 4]), ("conv_2", [8, 6, 3]), ("conv_3", [8, 8, 2])] {
        made = net.conv(name, &made, shape, vec![]);
        made = net.relu(&made);
        if name != "conv_3" {
            made = net.pool(&made);
        }
    }
    let pool_3 = made;
    let last = net.conv("conv_4", &pool_3, [5, 8, 2], vec![]);
    let last = net.relu(&last);
    let flat = net.flat(&pool_3);
    let one = net.dense("fc_1", &flat, [12, 48]);
    let flat = net.flat(&last);
    let two = net.dense("fc_2", &flat, [12, 10]);
    let sum = net.node("Add", &[&one, &two], vec![]);
    let sum = net.relu(&sum);
    let logits = net.dense("output", &sum, [7, 12]);
    net.finish(&logits, 7)
}

/// Two residual blocks with batch normalisation, the second with a stride and a convolution on its shortcut.
pub(crate) fn residual() -> Imported {
    let mut net = Net::new(Layout::Nchw, [3, 10, 10]);
    let image = net.image.clone();
    let made = net.same_conv("stem", &image, [6, 3, 3], 1);
    let made = net.batch_norm("stem_bn", &made, 6);
    let mut made = net.relu(&made);
    for (block, taken, given, stride) in [("block1", 6, 6, 1), ("block2", 6, 8, 2)] {
        let one = net.same_conv(&format!("{block}.conv1"), &made, [given, taken, 3], stride);
        let one = net.batch_norm(&format!("{block}.bn1"), &one, given);
        let one = net.relu(&one);
        let two = net.same_conv(&format!("{block}.conv2"), &one, [given, given, 3], 1);
        let two = net.batch_norm(&format!("{block}.bn2"), &two, given);
        let shortcut = if stride == 1 {
            made
        } else {
            let short = net.same_conv(&format!("{block}.short"), &made, [given, taken, 1], stride);
            net.batch_norm(&format!("{block}.short_bn"), &short, given)
        };
        let sum = net.node("Add", &[&two, &shortcut], vec![]);
        made = net.relu(&sum);
    }
    let pooled = net.node("GlobalAveragePool", &[&made], vec![]);
    let flat = net.flat(&pooled);
    let logits = net.dense("fc", &flat, [5, 8]);
    net.finish(&logits, 5)
}

/// Pairs of convolutions and a pooling, then dense layers with dropout between them.
pub(crate) fn vgg() -> Imported {
    let mut net = Net::new(Layout::Nchw, [3, 12, 12]);
    let mut made = net.image.clone();
    for (name, shape) in
        [("conv1", [6, 3, 3]), ("conv2", [6, 6, 3]), ("conv3", [8, 6, 3]), ("conv4", [8, 8, 3])]
    {
        made = net.same_conv(name, &made, shape, 1);
        made = net.relu(&made);
        if name == "conv2" || name == "conv4" {
            made = net.pool(&made);
        }
    }
    let flat = net.flat(&made);
    let hidden = net.dense("fc1", &flat, [16, 72]);
    let hidden = net.relu(&hidden);
    let hidden = net.node("Dropout", &[&hidden], vec![]);
    let logits = net.dense("fc2", &hidden, [6, 16]);
    net.finish(&logits, 6)
}

/// Depthwise convolutions, gates and a joining, as networks for telephones have them.
pub(crate) fn mobile() -> Imported {
    let mut net = Net::new(Layout::Nchw, [3, 9, 11]);
    let image = net.image.clone();
    let attributes = vec![ints("pads", &[0, 1, 1, 0]), ints("strides", &[2, 2])];
    let made = net.conv("stem", &image, [8, 3, 3], attributes);
    let made = net.node("HardSwish", &[&made], vec![]);
    let attributes = vec![ints("pads", &[2; 4]), ints("dilations", &[2, 2]), int("group", 8)];
    let made = net.conv("depthwise", &made, [8, 1, 3], attributes);
    let gate = net.node("Sigmoid", &[&made], vec![]);
    let made = net.node("Mul", &[&made, &gate], vec![]);
    let squeezed = net.node("ReduceMean", &[&made], vec![ints("axes", &[2, 3])]);
    let squeezed = net.same_conv("squeeze", &squeezed, [4, 8, 1], 1);
    let squeezed = net.node("LeakyRelu", &[&squeezed], vec![float("alpha", 0.1)]);
    let excited = net.same_conv("excite", &squeezed, [8, 4, 1], 1);
    let excited = net.node("HardSigmoid", &[&excited], vec![float("alpha", 1.0 / 6.0)]);
    let made = net.node("Mul", &[&made, &excited], vec![]);
    let attributes = vec![
        ints("kernel_shape", &[3, 3]),
        ints("strides", &[2, 2]),
        ints("pads", &[1; 4]),
        int("ceil_mode", 1),
    ];
    let mean = net.node("AveragePool", &[&made], attributes.clone());
    let greatest = net.node("MaxPool", &[&made], attributes);
    let joined = net.node("Concat", &[&mean, &greatest], vec![int("axis", 1)]);
    let pooled = net.node("GlobalAveragePool", &[&joined], vec![]);
    let flat = net.flat(&pooled);
    let logits = net.dense("head", &flat, [4, 16]);
    net.finish(&logits, 4)
}
