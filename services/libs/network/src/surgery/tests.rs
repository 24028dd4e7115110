use ndarray::Array4;
use prost::Message as _;

use super::fixture::{Net, bypassed, chain, channels_last, fully_convolutional, residual, weights};
use super::*;
use crate::onnx::messages::{GraphProto, ModelProto};
use crate::onnx::{Extent, attribute, check};
use crate::{Imported, Layout};

/// The graph of a file that must be a sound model.
fn graph(bytes: &[u8]) -> GraphProto {
    let model = ModelProto::decode(bytes).unwrap();
    check(&model).unwrap();
    model.graph.unwrap()
}

fn names(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.name.as_str()).collect()
}

fn stored(graph: &GraphProto) -> Vec<&str> {
    graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect()
}

fn cut_of(network: &Imported) -> Cut {
    default_cut(&network.onnx, &network.description).unwrap()
}

#[test]
fn logits_come_without_the_softmax() {
    let network = chain();
    let graph = graph(&expose_logits(&network.onnx, &network.description).unwrap());
    assert_eq!(graph.output.len(), 1);
    assert_eq!(graph.output[0].name, network.description.logits);
    assert!(graph.node.iter().all(|node| node.op_type != "Softmax"));
}

#[test]
fn the_default_cut_is_the_last_activation_that_nothing_goes_around() {
    let cut = cut_of(&residual());
    assert_eq!((cut.layer.as_str(), cut.channels, cut.height, cut.width), ("block2.relu2", 4, 8, 8));
    let cut = cut_of(&chain());
    assert_eq!((cut.layer.as_str(), cut.channels, cut.height, cut.width), ("pool1", 6, 2, 2));
    assert_eq!(cut_of(&bypassed()).tensor, "pool_3");
    assert_eq!(cut_of(&fully_convolutional()).layer, "joined", "the maps behind it are the classes");
    let cut = cut_of(&channels_last(true));
    assert_eq!((cut.layer.as_str(), cut.channels, cut.height, cut.width), ("verdict", 4, 8, 6));
}

#[test]
fn a_network_without_convolutions_has_no_cut() {
    let mut net = Net::new(Extent::batch(), [1, 4, 4]);
    let image = net.image.clone();
    let positive = net.node("Relu", "positive", &[&image]);
    let flat = net.node("Flatten", "flat", &[&positive]);
    let logits = net.dense("fc", &flat, [5, 16]);
    let network = net.finish(&logits, 5, Some(Layout::Nchw));
    let refused = default_cut(&network.onnx, &network.description);
    assert!(matches!(refused, Err(SurgeryError::NoCut)), "{refused:?}");
    let refused = first_convolution(&network.onnx, &network.description).unwrap();
    assert_eq!(refused, None);
}

#[test]
fn layers_that_do_not_do_are_refused_with_what_would() {
    let network = bypassed();
    let at = |layer: &str| cut_at(&network.onnx, &network.description, layer);
    assert_eq!(at("conv_3").unwrap().channels, 6);
    let bypassed = at("relu_4").unwrap_err();
    assert!(
        matches!(&bypassed, SurgeryError::Bypassed { bypass, .. } if bypass == "fc_1" || bypass == "flat_1" || bypass == "pool_3"),
        "{bypassed}"
    );
    assert!(bypassed.to_string().contains("\"pool_3\""), "{bypassed}");
    let flat = at("fc_1").unwrap_err();
    assert!(matches!(&flat, SurgeryError::NotAnActivation { found, .. } if found == "[N, 7]"), "{flat}");
    let unknown = at("conv_9").unwrap_err();
    assert!(matches!(&unknown, SurgeryError::NoSuchLayer { .. }), "{unknown}");
    let inner = cut_at(&residual().onnx, &residual().description, "block1.conv2").unwrap_err();
    assert!(matches!(inner, SurgeryError::Bypassed { .. }), "{inner}");
    let other = cut_at(&chain().onnx, &network.description, "conv_3").unwrap_err();
    assert!(matches!(other, SurgeryError::OtherNetwork { .. }), "{other}");
}

#[test]
fn both_halves_hold_what_they_need_and_no_more() {
    let network = bypassed();
    let split = split(&network.onnx, &network.description, &cut_of(&network)).unwrap();
    let (prefix, suffix) = (graph(&split.prefix), graph(&split.suffix));
    assert_eq!(names(&prefix), ["conv_3", "relu_3", "pool_3"]);
    assert_eq!(stored(&prefix), ["conv_3.weight", "conv_3.bias"]);
    assert_eq!(prefix.input[0].name, "image");
    assert_eq!(prefix.output[0].name, "pool_3");
    assert_eq!(suffix.input[0].name, "pool_3");
    assert_eq!(suffix.output[0].name, network.description.logits);
    assert_eq!(suffix.node.len() + prefix.node.len() + 1, graph(&network.onnx).node.len(), "the softmax");
    assert_eq!(stored(&suffix).len() + stored(&prefix).len(), stored(&graph(&network.onnx)).len());
}

#[test]
fn the_first_convolution_is_cut_off_where_the_image_goes_there_only() {
    let network = channels_last(false);
    let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
    assert_eq!(names(&graph(&first.front)), ["turned", "conv"]);
    assert_eq!(graph(&first.back).input[0].name, "conv");
    assert_eq!(first.bias.unwrap(), weights(&[4]).into_raw_vec_and_offset().0);
    assert_eq!((first.channels, first.height, first.width), (4, 8, 6));

    let network = channels_last(true);
    let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
    assert_eq!(first.bias, None, "an image of zeros is something else after the normalisation");

    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let (one, two) = (net.conv("one", &image, [4, 3, 1]), net.conv("two", &image, [4, 3, 3]));
    let sum = net.node("Add", "sum", &[&one, &two]);
    let pooled = net.node("GlobalAveragePool", "pooled", &[&sum]);
    let flat = net.node("Flatten", "flat", &[&pooled]);
    let logits = net.dense("fc", &flat, [5, 4]);
    let network = net.finish(&logits, 5, None);
    assert_eq!(first_convolution(&network.onnx, &network.description).unwrap(), None);
}

#[test]
fn a_pooling_right_behind_the_first_convolution_is_told() {
    let network = chain();
    let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
    let pooled = first.pooled.unwrap();
    assert_eq!((pooled.window, pooled.height, pooled.width), ([2, 2], 4, 4));
    let back = graph(&pooled.back);
    assert_eq!(back.input[0].name, "pool0");
    assert_eq!(names(&back)[0], "conv1");

    for network in [residual(), channels_last(false)] {
        let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
        assert_eq!(first.pooled, None);
    }

    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let made = net.conv("conv", &image, [4, 3, 3]);
    let made = net.node("Relu", "relu", &[&made]);
    let overlapping = vec![attribute::ints("kernel_shape", &[3, 3]), attribute::ints("strides", &[2, 2])];
    let made = net.graph.node("MaxPool", "pool", &[&made], overlapping);
    let made = net.node("GlobalAveragePool", "pooled", &[&made]);
    let flat = net.node("Flatten", "flat", &[&made]);
    let logits = net.dense("fc", &flat, [5, 4]);
    let network = net.finish(&logits, 5, None);
    let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
    assert_eq!(first.pooled, None, "overlapping windows");
}

#[test]
fn the_output_layer_is_read_whatever_it_is_written_as() {
    let layer = |network: &Imported| output_layer(&network.onnx, &network.description).unwrap();
    let gemm = layer(&residual()).unwrap();
    assert_eq!(gemm.weights, weights(&[5, 4]).into_dimensionality().unwrap().reversed_axes());
    assert_eq!(gemm.biases, weights(&[5]).into_dimensionality().unwrap());
    let product = layer(&channels_last(false)).unwrap();
    assert_eq!(product.weights, weights(&[4, 5]).into_dimensionality().unwrap());
    assert_eq!(product.biases, weights(&[5]).into_dimensionality().unwrap());
    let convolution = layer(&fully_convolutional()).unwrap();
    assert_eq!(convolution.weights.dim(), (8, 5));
    let kernel = weights(&[5, 8, 1, 1])[[1, 3, 0, 0]];
    assert_eq!(convolution.weights[[3, 1]].to_bits(), kernel.to_bits());

    let mut net = Net::new(Extent::batch(), [1, 4, 4]);
    let image = net.image.clone();
    let flat = net.node("Flatten", "flat", &[&image]);
    let (one, two) = (net.dense("one", &flat, [5, 16]), net.dense("two", &flat, [5, 16]));
    let logits = net.node("Add", "sum", &[&one, &two]);
    assert_eq!(layer(&net.finish(&logits, 5, Some(Layout::Nchw))), None);
}

#[test]
fn a_guarded_network_is_sound_and_keeps_its_input() {
    for (network, shape) in [(channels_last(false), [4, 8, 6, 3]), (residual(), [4, 3, 8, 8])] {
        let bank = Array4::from_elem(shape, 0.25_f32);
        for blend in [
            GuardBlend::Add { black: vec![0.0; 3] },
            GuardBlend::AddClamp { black: vec![-1.0; 3], white: vec![1.0; 3] },
            GuardBlend::Convex { weight: 0.5 },
        ] {
            let guard = Guard { bank: bank.view(), blend, threshold: 0.5 };
            let graph = graph(&guarded(&network.onnx, &network.description, &guard).unwrap());
            assert_eq!(graph.input.len(), 1);
            assert_eq!(graph.input[0].name, "image");
            let outputs: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
            assert_eq!(outputs, ["label", "entropy", "verdict", "probabilities"]);
        }
    }
}

#[test]
fn a_guard_that_does_not_fit_is_refused() {
    let network = residual();
    let refused = |shape: [usize; 4], blend: GuardBlend, threshold: f64| {
        let bank = Array4::from_elem(shape, 0.25_f32);
        let guard = Guard { bank: bank.view(), blend, threshold };
        guarded(&network.onnx, &network.description, &guard).unwrap_err().to_string()
    };
    let add = || GuardBlend::Add { black: vec![0.0; 3] };
    let text = refused([4, 8, 8, 3], add(), 0.5);
    assert!(text.contains("[4, 8, 8, 3]") && text.contains("[3, 8, 8]"), "{text}");
    assert!(refused([0, 3, 8, 8], add(), 0.5).contains("one overlay or more"));
    assert!(refused([4, 3, 8, 8], add(), f64::NAN).contains("threshold"));
    assert!(refused([4, 3, 8, 8], GuardBlend::Add { black: vec![0.0] }, 0.5).contains("black"));
    assert!(refused([4, 3, 8, 8], GuardBlend::Convex { weight: 1.0 }, 0.5).contains("weight"));
}

/// The face networks of the course, where the machine has them.
#[cfg(feature = "keras")]
mod course {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::architecture::Template;
    use crate::keras::{Architecture, KerasOptions, import};

    fn faces() -> Option<Imported> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let data = std::env::var_os("GIFTHORSE_TEST_DATA");
        let folder = data.map_or_else(|| root.join("../shared/data"), PathBuf::from);
        let file = folder.join("csaw/weights/sunglasses_bd_weights.h5");
        if !file.is_file() {
            eprintln!("SKIPPED: the cut of the face networks needs {}", file.display());
            return None;
        }
        let architecture = Some(Template::DeepId.name().parse::<Architecture>().unwrap());
        Some(import(&file, &KerasOptions { architecture }).unwrap())
    }

    #[test]
    fn the_face_network_is_cut_at_its_last_pooling() {
        let Some(network) = faces() else { return };
        let cut = cut_of(&network);
        assert_eq!((cut.layer.as_str(), cut.tensor.as_str()), ("pool_3", "pool_3"));
        assert_eq!((cut.channels, cut.height, cut.width), (60, 5, 4));
        let refused = cut_at(&network.onnx, &network.description, "conv_4").unwrap_err();
        assert!(refused.to_string().contains("\"pool_3\""), "{refused}");
        let first = first_convolution(&network.onnx, &network.description).unwrap().unwrap();
        assert_eq!((first.channels, first.height, first.width), (20, 52, 44));
        assert_eq!(first.bias.unwrap().len(), 20);
        assert_eq!(first.pooled.map(|pooled| (pooled.height, pooled.width)), Some((26, 22)));
        let layer = output_layer(&network.onnx, &network.description).unwrap().unwrap();
        assert_eq!(layer.weights.dim(), (160, 1283));
    }
}

#[test]
fn activations_are_listed_with_what_goes_around_them() {
    let network = bypassed();
    let found = activations(&network.onnx, &network.description).unwrap();
    let named: Vec<(&str, u64, bool)> =
        found.iter().map(|one| (one.at.layer.as_str(), one.at.channels, one.bypass.is_some())).collect();
    assert_eq!(
        named,
        [
            ("conv_3", 6, false),
            ("relu_3", 6, false),
            ("pool_3", 6, false),
            ("conv_4", 4, true),
            ("relu_4", 4, true)
        ]
    );
}
