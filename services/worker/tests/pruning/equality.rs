//! A pruned file is the network with its activation masked.

use gifthorse_network::Imported;
use gifthorse_network::surgery::{PrunedAt, prune_channels, pruning_site};
use gifthorse_worker::pruning::{Carried, CutNetwork, ImageSource};

use crate::networks::{deepid_like, residual, vgg_like};
use crate::support::{MadeUp, Whole, cut, engine};

const IMAGES: usize = 96;

/// The activation with these channels zero and everything else as it is.
fn masked(network: &CutNetwork, carried: &Carried, channels: &[usize]) -> Vec<f32> {
    let shape = network.activation_shape();
    let area = shape.height * shape.width;
    let plane = |place: usize| place / area % shape.channels;
    let activation = carried.activation().iter().enumerate();
    activation.map(|(place, value)| if channels.contains(&plane(place)) { 0.0 } else { *value }).collect()
}

/// Whether both are the same numbers, both zeros being one.
fn same(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.to_bits() == other.to_bits() || (*one == 0.0 && *other == 0.0))
}

fn check(network: &Imported, layer: Option<&str>, expected: &PrunedAt) {
    let Some(engine) = engine() else { return };
    let site = pruning_site(&network.onnx, &network.description, layer).unwrap();
    let images = MadeUp::of(network, IMAGES);
    let images = || images.read(0..IMAGES).unwrap();
    let untouched = cut(&engine, network, &site, IMAGES);
    let carried = untouched.carried(images()).unwrap();
    assert!(carried.activation().iter().any(|value| *value != 0.0));
    let channels = untouched.channels();
    for pruned in [vec![0], vec![1, 3, channels - 1], (0..channels - 1).collect(), (0..channels).collect()] {
        let file = prune_channels(&network.onnx, &network.description, &site, &pruned).unwrap();
        assert_eq!(file.done.as_ref(), Some(expected));
        let changed = Imported { onnx: file.onnx, description: network.description.clone() };
        // The same activation, to the bit.
        let made = cut(&engine, &changed, &site, IMAGES).carried(images()).unwrap();
        assert!(same(made.activation(), &masked(&untouched, &carried, &pruned)), "{layer:?} {pruned:?}");
        for (made, kept) in made.tensors().iter().zip(carried.tensors()).skip(1) {
            assert!(same(made, kept), "what goes around it is left alone");
        }
        // The same answers of the whole file as of the second half after a mask.
        let whole = Whole::load(&engine, &changed, &changed.onnx).answers(&MadeUp::of(network, IMAGES));
        let again = untouched.answers(made).unwrap();
        assert_eq!(whole, again, "{layer:?} {pruned:?}");
    }
}

#[test]
fn deepid_like_at_its_dominating_pooling() {
    let expected = PrunedAt::Convolution { node: "conv_3".to_owned() };
    check(&deepid_like(), None, &expected);
    check(&deepid_like(), Some("pool_3"), &expected);
}

#[test]
fn deepid_like_at_its_bypassed_convolution() {
    check(&deepid_like(), Some("conv_4"), &PrunedAt::Convolution { node: "conv_4".to_owned() });
}

#[test]
fn residual_behind_its_last_addition() {
    check(&residual(), None, &PrunedAt::InsertedMask { node: "layer2.relu2.pruned".to_owned() });
}

#[test]
fn residual_inside_a_block_behind_a_normalisation() {
    let expected = PrunedAt::Normalization { node: "layer2.norm1".to_owned() };
    check(&residual(), Some("layer2.conv1"), &expected);
    check(&residual(), Some("stem_relu"), &PrunedAt::Normalization { node: "stem_norm".to_owned() });
}

#[test]
fn vgg_like_at_its_last_and_at_an_inner_pooling() {
    check(&vgg_like(), None, &PrunedAt::Normalization { node: "features.norm2".to_owned() });
    let inner = PrunedAt::Convolution { node: "features.conv0".to_owned() };
    check(&vgg_like(), Some("features.pool0"), &inner);
}

#[test]
fn the_default_layers_are_those_nothing_bypasses() {
    for (network, layer) in
        [(deepid_like(), "pool_3"), (residual(), "layer2.relu2"), (vgg_like(), "features.pool2")]
    {
        let site = pruning_site(&network.onnx, &network.description, None).unwrap();
        assert_eq!((site.cut.layer.as_str(), site.bypass), (layer, None));
    }
    let network = deepid_like();
    let bypassed = pruning_site(&network.onnx, &network.description, Some("conv_4")).unwrap();
    assert!(bypassed.bypass.is_some());
}
