use prost::Message as _;

use super::fixture::{Net, bypassed, chain, normalised, residual, weights};
use super::*;
use crate::Imported;
use crate::onnx::initializers::read_f32;
use crate::onnx::messages::{GraphProto, ModelProto};
use crate::onnx::{Extent, check};

fn site_of(network: &Imported, layer: Option<&str>) -> PruningSite {
    pruning_site(&network.onnx, &network.description, layer).unwrap()
}

/// The graph of a sound file, and what was done.
fn pruned(network: &Imported, layer: Option<&str>, channels: &[usize]) -> (GraphProto, PrunedAt) {
    let site = site_of(network, layer);
    let pruned = prune_channels(&network.onnx, &network.description, &site, channels).unwrap();
    let model = ModelProto::decode(pruned.onnx.as_slice()).unwrap();
    check(&model).unwrap();
    (model.graph.unwrap(), pruned.done.unwrap())
}

fn operators(graph: &GraphProto) -> usize {
    graph.node.len()
}

fn nodes_of(network: &Imported) -> usize {
    ModelProto::decode(network.onnx.as_slice()).unwrap().graph.unwrap().node.len()
}

#[test]
fn the_default_sites_are_those_nothing_bypasses() {
    assert_eq!(site_of(&bypassed(), None).cut.tensor, "pool_3");
    assert_eq!(site_of(&residual(), None).cut.layer, "block2.relu2");
    assert_eq!(site_of(&normalised(), None).cut.layer, "relu2", "behind the addition");
    assert_eq!(site_of(&chain(), None).cut.layer, "pool1");
    for network in [bypassed(), residual(), normalised(), chain()] {
        assert_eq!(site_of(&network, None).bypass, None);
    }
}

#[test]
fn bypassed_layers_can_be_named_and_are_marked() {
    let site = site_of(&bypassed(), Some("relu_4"));
    assert_eq!(site.cut.channels, 4);
    assert!(site.bypass.is_some());
    assert_eq!(site_of(&bypassed(), Some("conv_4")), site, "the activation function belongs to it");
    assert_eq!(site_of(&normalised(), Some("conv1")).cut.tensor, "relu1", "and so does the normalisation");
    assert_eq!(site_of(&normalised(), Some("conv2")).cut.tensor, "norm2", "an addition does not");
}

#[test]
fn misspelt_layers_are_answered_with_the_closest_names() {
    let network = bypassed();
    for wrong in ["pol_3", "Pool_3", "pool-3"] {
        let refused = pruning_site(&network.onnx, &network.description, Some(wrong)).unwrap_err();
        assert!(matches!(refused, SurgeryError::NoSuchLayer { .. }), "{refused}");
        assert!(refused.to_string().contains("closest names are \"pool_3\""), "{refused}");
    }
    let refused = pruning_site(&network.onnx, &network.description, Some("encoder.stage")).unwrap_err();
    assert!(!refused.to_string().contains("closest"), "{refused}");
    let flat = pruning_site(&network.onnx, &network.description, Some("fc_1")).unwrap_err();
    assert!(matches!(flat, SurgeryError::NotAnActivation { .. }), "{flat}");
}

#[test]
fn kernels_are_zeroed_where_nothing_else_reads_them() {
    for (network, layer, convolution, channels) in [
        (bypassed(), Some("pool_3"), "conv_3", 6),
        (bypassed(), Some("relu_4"), "conv_4", 4),
        (chain(), None, "conv1", 6),
    ] {
        let (graph, done) = pruned(&network, layer, &[1, 3, 3]);
        assert_eq!(done, PrunedAt::Convolution { node: convolution.to_owned() });
        assert_eq!(operators(&graph), nodes_of(&network), "no new operator");
        let kernels = read_f32(&graph, &format!("{convolution}.weight")).unwrap();
        let biases = read_f32(&graph, &format!("{convolution}.bias")).unwrap();
        let before = weights(kernels.shape());
        for channel in 0..channels {
            let (kernel, bias) = (kernels.index_axis(ndarray::Axis(0), channel), biases[[channel]]);
            if channel == 1 || channel == 3 {
                assert!(kernel.iter().chain([&bias]).all(|value| value.to_bits() == 0));
            } else {
                assert_eq!(kernel, before.index_axis(ndarray::Axis(0), channel));
                assert_eq!(bias.to_bits(), weights(&[channels])[[channel]].to_bits());
            }
        }
    }
}

#[test]
fn a_normalisation_is_zeroed_itself() {
    let (graph, done) = pruned(&normalised(), Some("relu1"), &[2]);
    assert_eq!(done, PrunedAt::Normalization { node: "norm1".to_owned() });
    for part in ["scale", "shift"] {
        let values = read_f32(&graph, &format!("norm1.{part}")).unwrap();
        let zeros: Vec<bool> = values.iter().map(|value| value.to_bits() == 0).collect();
        // The first weight of the fixture is zero anyway.
        assert_eq!(zeros, [true, false, true, false], "{part}");
    }
    let kernels = read_f32(&graph, "conv1.weight").unwrap();
    assert_eq!(kernels, weights(&[4, 4, 3, 3]), "the convolution before it is left alone");
}

#[test]
fn sums_and_shared_activations_get_a_mask() {
    for (network, layer) in [(residual(), None), (normalised(), None), (normalised(), Some("stem_relu"))] {
        let (graph, done) = pruned(&network, layer, &[0]);
        let tensor = site_of(&network, layer).cut.tensor;
        // The stem's activation is the block's input and its shortcut: both read it pruned.
        if layer.is_some() {
            assert_eq!(done, PrunedAt::Normalization { node: "stem_norm".to_owned() });
            continue;
        }
        assert_eq!(done, PrunedAt::InsertedMask { node: format!("{tensor}.pruned") });
        assert_eq!(operators(&graph), nodes_of(&network) + 1);
        let mask = read_f32(&graph, &format!("{tensor}.mask")).unwrap();
        assert_eq!(mask.shape(), [1, 4, 1, 1]);
        assert_eq!(mask.iter().copied().collect::<Vec<_>>(), [0.0, 1.0, 1.0, 1.0]);
    }
}

#[test]
fn what_feeds_something_else_too_is_not_touched() {
    // The pooling's input also goes around it: only the pooled activation may be pruned.
    let mut net = Net::new(Extent::batch(), [3, 8, 8]);
    let image = net.image.clone();
    let made = net.conv("conv", &image, [4, 3, 3]);
    let made = net.node("Relu", "relu", &[&made]);
    let pooled = net.pool("pool", &made);
    let (one, two) = (net.node("Flatten", "flat_1", &[&pooled]), net.node("Flatten", "flat_2", &[&made]));
    let (one, two) = (net.dense("fc_1", &one, [5, 64]), net.dense("fc_2", &two, [5, 256]));
    let logits = net.node("Add", "sum", &[&one, &two]);
    let network = net.finish(&logits, 5, None);
    let (graph, done) = pruned(&network, Some("pool"), &[3]);
    assert_eq!(done, PrunedAt::InsertedMask { node: "pool.pruned".to_owned() });
    let names: Vec<_> = graph.node.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[..4], ["conv", "relu", "pool", "pool.pruned"]);
    let reader = graph.node.iter().find(|node| node.name == "flat_1").unwrap();
    assert_eq!(reader.input, ["pool"], "readers keep their names");
}

#[test]
fn pruning_again_adds_to_the_mask() {
    let network = residual();
    let site = site_of(&network, None);
    let once = prune_channels(&network.onnx, &network.description, &site, &[0]).unwrap();
    let twice = prune_channels(&once.onnx, &network.description, &site, &[2]).unwrap();
    assert!(matches!(twice.done, Some(PrunedAt::Mask { .. })), "{:?}", twice.done);
    let graph = ModelProto::decode(twice.onnx.as_slice()).unwrap().graph.unwrap();
    let mask = read_f32(&graph, &format!("{}.mask", site.cut.tensor)).unwrap();
    assert_eq!(mask.iter().copied().collect::<Vec<_>>(), [0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn functions_that_make_something_of_a_zero_are_not_passed() {
    for (operator, limits, passes) in [
        ("Sigmoid", None, false),
        ("Clip", Some([0.0_f32, 6.0]), true),
        ("Clip", Some([0.1, 6.0]), false),
        ("Clip", Some([-2.0, -1.0]), false),
    ] {
        let mut net = Net::new(Extent::batch(), [3, 8, 8]);
        let image = net.image.clone();
        let made = net.conv("conv", &image, [4, 3, 3]);
        let mut inputs = vec![made];
        for (index, limit) in limits.into_iter().flatten().enumerate() {
            let limit = ndarray::arr0(limit);
            inputs.push(net.graph.initializer_f32(&format!("limit{index}"), limit.view()));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let made = net.node(operator, "activation", &inputs);
        let flat = net.node("Flatten", "flat", &[&made]);
        let logits = net.dense("fc", &flat, [5, 256]);
        let network = net.finish(&logits, 5, None);
        assert_eq!(site_of(&network, Some("conv")).cut.tensor, "activation", "{operator}");
        let (_, done) = pruned(&network, None, &[1]);
        assert_eq!(matches!(done, PrunedAt::Convolution { .. }), passes, "{operator} {limits:?}");
    }
}

#[test]
fn wrong_channels_and_other_networks_are_refused() {
    let network = chain();
    let site = site_of(&network, None);
    let refused = prune_channels(&network.onnx, &network.description, &site, &[6]).unwrap_err();
    assert_eq!(refused.to_string(), "layer \"pool1\" has the channels 0..6, not 6");
    let other = site_of(&bypassed(), None);
    let refused = prune_channels(&network.onnx, &network.description, &other, &[0]).unwrap_err();
    assert!(matches!(refused, SurgeryError::OtherNetwork { .. }), "{refused}");
    let none = prune_channels(&network.onnx, &network.description, &site, &[]).unwrap();
    assert_eq!((none.onnx, none.done), (network.onnx, None));
}

#[test]
fn everything_that_crosses_is_carried() {
    let network = bypassed();
    let split =
        split_at_site(&network.onnx, &network.description, &site_of(&network, Some("relu_4"))).unwrap();
    let crossing: Vec<_> = split.crossing.iter().map(|crossing| crossing.tensor.as_str()).collect();
    assert_eq!(crossing, ["fc_1"], "as far behind as it can be");
    assert_eq!(split.crossing[0].shape, [7]);
    let graph = |bytes: &[u8]| {
        let model = ModelProto::decode(bytes).unwrap();
        check(&model).unwrap();
        model.graph.unwrap()
    };
    let (prefix, suffix) = (graph(&split.prefix), graph(&split.suffix));
    let names = |graph: &GraphProto| graph.node.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&suffix), ["flat_2", "fc_2", "sum", "sum_relu", "fc"]);
    assert_eq!(
        prefix.output.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(),
        ["relu_4", "fc_1"]
    );

    let split = split_at_site(&network.onnx, &network.description, &site_of(&network, None)).unwrap();
    assert!(split.crossing.is_empty());
    let network = normalised();
    let split =
        split_at_site(&network.onnx, &network.description, &site_of(&network, Some("relu1"))).unwrap();
    assert_eq!(split.crossing.len(), 1);
    assert_eq!(
        (split.crossing[0].tensor.as_str(), split.crossing[0].shape.as_slice()),
        ("stem_relu", &[4, 8, 8][..])
    );
}
