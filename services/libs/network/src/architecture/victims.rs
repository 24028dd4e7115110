//! Small networks of the literature on backdoors, for pictures of any size and any count of classes.

use super::keras::{Convolution, Description};

/// Two convolutions of 5 x 5, each pooled, and two fully connected layers: the MNIST network of Gu et al. (2017), with
/// convolutions that keep the border.
pub(super) fn mnist(image: [u64; 3], classes: u64) -> String {
    let mut network = Description::new("mnist", image);
    let mut last = "input".to_owned();
    for (number, filters) in [16, 32].into_iter().enumerate() {
        let number = number + 1;
        let shape = Convolution { filters, side: 5, stride: 1, bias: true };
        last = network.convolution(&format!("conv_{number}"), &last, shape);
        last = network.rectifier(&format!("relu_{number}"), &last);
        last = network.pooling(&format!("pool_{number}"), &last);
    }
    last = network.add("Flatten", "flatten", &[&last], serde_json::json!({"data_format": "channels_last"}));
    last = network.dense("fc_1", &last, 512, "relu");
    last = network.dense("output", &last, classes, "softmax");
    network.ending_in(&last)
}

/// Four convolutions of 3 x 3, each normalised over the batch and rectified, the first three pooled, and the mean of
/// each channel.
pub(super) fn conv4(image: [u64; 3], classes: u64) -> String {
    let mut network = Description::new("conv4", image);
    let mut last = "input".to_owned();
    for (number, filters) in [32, 64, 128, 128].into_iter().enumerate() {
        let number = number + 1;
        let shape = Convolution { filters, side: 3, stride: 1, bias: false };
        last = network.convolution(&format!("conv_{number}"), &last, shape);
        last = network.normalization(&format!("norm_{number}"), &last);
        last = network.rectifier(&format!("relu_{number}"), &last);
        if number < 4 {
            last = network.pooling(&format!("pool_{number}"), &last);
        }
    }
    last = network.mean("mean", &last);
    last = network.dense("output", &last, classes, "softmax");
    network.ending_in(&last)
}

/// `ResNet-18` for small pictures (He et al., CVPR 2016, as it is used on CIFAR-10): a first convolution of 3 x 3
/// without pooling, four stages of two blocks with 64, 128, 256 and 512 channels.
pub(super) fn resnet18(image: [u64; 3], classes: u64) -> String {
    let mut network = Description::new("resnet18", image);
    let plain = |filters, side, stride| Convolution { filters, side, stride, bias: false };
    let first = network.convolution("conv_1", "input", plain(64, 3, 1));
    let first = network.normalization("norm_1", &first);
    let mut last = network.rectifier("relu_1", &first);
    let mut channels = 64;
    for (stage, filters) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let name = |part: &str| format!("stage_{}_block_{}_{part}", stage + 1, block + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let one = network.convolution(&name("conv_1"), &last, plain(filters, 3, stride));
            let one = network.normalization(&name("norm_1"), &one);
            let one = network.rectifier(&name("relu_1"), &one);
            let two = network.convolution(&name("conv_2"), &one, plain(filters, 3, 1));
            let two = network.normalization(&name("norm_2"), &two);
            let beside = if stride == 1 && channels == filters {
                last
            } else {
                let beside = network.convolution(&name("conv_beside"), &last, plain(filters, 1, stride));
                network.normalization(&name("norm_beside"), &beside)
            };
            let sum = network.add("Add", &name("sum"), &[&two, &beside], serde_json::json!({}));
            last = network.rectifier(&name("relu_2"), &sum);
            channels = filters;
        }
    }
    last = network.mean("mean", &last);
    last = network.dense("output", &last, classes, "softmax");
    network.ending_in(&last)
}
