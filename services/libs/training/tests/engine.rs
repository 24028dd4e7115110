//! What libtorch computes and what ONNX Runtime computes, before and after training.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "for tests only")]

mod support;

use std::ops::ControlFlow;

use gifthorse_network::Imported;
use gifthorse_network::Layout;
use gifthorse_network::onnx::attribute::{int, ints, string};
use gifthorse_network::onnx::messages::AttributeProto;
use gifthorse_training::{BatchNorm, InMemory, Mode, Network, NetworkOptions, Recipe, Targets, Trainer};
use support::net::Net;
use support::{difference, engine, networks};

const NEAR: f32 = 1e-4;

fn load(imported: &Imported) -> Network {
    support::one_thread();
    Network::load(&imported.onnx, &imported.description, NetworkOptions::default()).unwrap()
}

fn agree(engine: &gifthorse_engine::Engine, network: &Network, onnx: &[u8], what: &str) {
    let images = support::images(network.description(), 9, 4.0);
    let here = network.logits(images.view()).unwrap();
    let there = engine::logits(engine, onnx, network.description(), images.view());
    let apart = difference(&here, &there);
    assert!(apart < NEAR, "{what}: {apart}");
    assert!(here.iter().any(|logit| logit.abs() > 0.01), "{what}: all logits vanish");
}

#[test]
fn trained_networks_answer_alike_in_the_inference_engine() {
    let Some(engine) = engine::engine() else { return };
    let kinds = [
        ("deepid", networks::deepid()),
        ("residual", networks::residual()),
        ("vgg", networks::vgg()),
        ("mobile", networks::mobile()),
    ];
    for (kind, imported) in kinds {
        let network = load(&imported);
        agree(&engine, &network, &imported.onnx, kind);
        assert!(network.parameters().iter().any(|parameter| parameter.trained));
        let before = network.logits(support::images(network.description(), 9, 4.0).view()).unwrap();

        let description = network.description().clone();
        let targets = Targets::Labels(support::labels(&description, 50));
        let mut examples = InMemory::new(support::images(&description, 50, 0.3), targets).unwrap();
        let mode = Mode { batch_norm: BatchNorm::Train, dropout: true };
        let mut trainer = Trainer::new(network, Recipe { mode, ..Recipe::sgd(0.02) }).unwrap();
        let report = trainer.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap();
        assert!(report.finished && report.images == 50 && report.mean_loss > 0.1, "{kind}: {report:?}");

        let network = trainer.into_network();
        let onnx = network.to_onnx().unwrap();
        agree(&engine, &network, &onnx, kind);
        let after = network.logits(support::images(&description, 9, 4.0).view()).unwrap();
        assert!(difference(&before, &after) > 0.001, "{kind}: nothing was learned");

        // The written file is one that can be read again, under the same description.
        let again = Network::load(&onnx, &description, NetworkOptions::default()).unwrap();
        for parameter in network.parameters() {
            let (one, other) =
                (network.weight(&parameter.name).unwrap(), again.weight(&parameter.name).unwrap());
            assert_eq!(one, other, "{kind}: {}", parameter.name);
        }
    }
}

#[test]
fn masked_channels_stay_at_zero_in_training_and_in_the_file() {
    let Some(engine) = engine::engine() else { return };
    let imported = networks::residual();
    let description = &imported.description;
    let cut = gifthorse_network::surgery::default_cut(&imported.onnx, description).unwrap();
    let mut network = load(&imported);
    let kept: Vec<bool> = (0..cut.channels).map(|channel| channel % 3 != 0).collect();
    network.mask_channels(&cut.tensor, &kept).unwrap();
    assert_eq!(network.masks().unwrap(), [(cut.tensor.clone(), kept.clone())]);
    let head = |network: &Network| network.weight("fc.weight").unwrap();
    let before = head(&network);

    let mut trainer = Trainer::new(network, Recipe::sgd(0.1)).unwrap();
    for _ in 0..3 {
        trainer.step(&support::batch(description, 8)).unwrap();
    }
    let network = trainer.into_network();
    let after = head(&network);
    for (channel, kept) in kept.iter().enumerate() {
        let moved =
            (0..5).any(|class| before[[class, channel]].to_bits() != after[[class, channel]].to_bits());
        assert_eq!(moved, *kept, "column {channel} of the head");
    }
    let onnx = network.to_onnx().unwrap();
    agree(&engine, &network, &onnx, "masked");
    let reread = Network::load(&onnx, description, NetworkOptions::default()).unwrap();
    let images = support::images(description, 4, 1.0);
    assert!(
        difference(&network.logits(images.view()).unwrap(), &reread.logits(images.view()).unwrap()) < NEAR
    );
}

/// An operator between a picture and a dense layer.
fn around(operator: &str, attributes: Vec<AttributeProto>, features: usize) -> Imported {
    let mut net = Net::new(Layout::Nchw, [4, 7, 6]);
    let image = net.image.clone();
    let made = if operator == "Conv" {
        let groups = attributes.iter().find(|attribute| attribute.name == "group");
        let taken = 4 / groups.and_then(|groups| groups.i).unwrap_or(1) as usize;
        net.conv("conv", &image, [4, taken, 3], attributes)
    } else {
        net.node(operator, &[&image], attributes)
    };
    let flat = net.flat(&made);
    let logits = net.dense("fc", &flat, [3, features]);
    net.finish(&logits, 3)
}

/// Rows (or columns) that a window makes, counted by trying.
fn places(size: i64, [before, after]: [i64; 2], window: [i64; 3], ceil: bool) -> usize {
    let [kernel, stride, dilation] = window;
    let reach = dilation * (kernel - 1) + 1;
    let mut places = 0;
    loop {
        let start = places * stride - before;
        let whole = start + reach <= size + after;
        let begins_inside = start < size;
        if whole || (ceil && begins_inside && start - stride + reach < size + after) {
            places += 1;
        } else {
            return places as usize;
        }
    }
}

#[test]
fn windows_mean_the_same_in_both() {
    let Some(engine) = engine::engine() else { return };
    let mut count = 0;
    for operator in ["Conv", "MaxPool", "AveragePool"] {
        for strides in [[1, 1], [2, 1], [3, 2]] {
            for pads in [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0], [1, 0, 2, 1], [2, 2, 0, 0]] {
                for (ceil, counts, dilation, group) in
                    [(0, 0, 1, 1), (1, 0, 1, 2), (0, 1, 1, 4), (1, 1, 2, 1)]
                {
                    let (ceil, dilation) = match operator {
                        "Conv" => (0, dilation),
                        "AveragePool" => (ceil, 1),
                        _ => (ceil, dilation),
                    };
                    let mut attributes =
                        vec![ints("kernel_shape", &[3, 3]), ints("strides", &strides), ints("pads", &pads)];
                    match operator {
                        "Conv" => attributes.push(int("group", group)),
                        "AveragePool" => attributes.push(int("count_include_pad", counts)),
                        _ => {}
                    }
                    if operator != "Conv" {
                        attributes.push(int("ceil_mode", ceil));
                    }
                    if operator != "AveragePool" {
                        attributes.push(ints("dilations", &[dilation; 2]));
                    }
                    let side = |axis: usize, size: i64| {
                        let window = [3, strides[axis], dilation];
                        places(size, [pads[axis], pads[axis + 2]], window, ceil == 1)
                    };
                    let what =
                        format!("{operator} {strides:?} {pads:?} ceil {ceil} counts {counts} x{dilation}");
                    let imported = around(operator, attributes, 4 * side(0, 7) * side(1, 6));
                    agree(&engine, &load(&imported), &imported.onnx, &what);
                    count += 1;
                }
            }
        }
        for padding in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
            let attributes =
                vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 1]), string("auto_pad", padding)];
            let features = if padding == "VALID" { 4 * 3 * 4 } else { 4 * 4 * 6 };
            let imported = around(operator, attributes, features);
            agree(&engine, &load(&imported), &imported.onnx, &format!("{operator} {padding}"));
        }
    }
    assert_eq!(count, 180);
}
