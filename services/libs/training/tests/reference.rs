//! Gradients and trained weights of whole networks against a table of PyTorch (`tests/data/reference.py`), in
//! 64 bits.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "for tests only")]

mod support;

use std::collections::BTreeMap;

use gifthorse_network::Imported;
use gifthorse_training::{
    BatchNorm, Mode, Moments, Network, NetworkOptions, Optimizer, Precision, Recipe, Trainer,
};
use serde::Deserialize;
use support::{fingerprint, networks};

/// The table has nine digits, arrays here are rounded to 32 bits.
const NEAR: f64 = 2e-7;

type Fingerprints = BTreeMap<String, [f64; 2]>;

#[derive(Deserialize)]
struct Reference {
    torch: String,
    gradients: BTreeMap<String, Gradients>,
    trainings: BTreeMap<String, Training>,
}

#[derive(Deserialize)]
struct Gradients {
    network: String,
    trains: bool,
    smoothing: f64,
    loss: f64,
    #[serde(rename = "gradients")]
    of: Fingerprints,
}

#[derive(Deserialize)]
struct Training {
    losses: Vec<f64>,
    weights: Fingerprints,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("data/reference.json")).unwrap()
}

fn load(imported: &Imported, channels_last: bool) -> Network {
    support::one_thread();
    let options = NetworkOptions { precision: Precision::Double, channels_last, ..NetworkOptions::default() };
    Network::load(&imported.onnx, &imported.description, options).unwrap()
}

fn compare(what: &str, found: &Fingerprints, expected: &Fingerprints) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, expected) in expected {
        // A projection can vanish where the tensor does not: its length is the measure.
        let scale = expected[0].max(1e-3);
        for (found, expected) in found[name].iter().zip(expected) {
            assert!((found - expected).abs() / scale < NEAR, "{what}, {name}: {found} {expected}");
        }
    }
}

#[test]
fn gradients_of_whole_networks_are_those_of_pytorch() {
    let reference = reference();
    assert_eq!(reference.torch, gifthorse_training::LIBTORCH_VERSION);
    for (title, expected) in &reference.gradients {
        let imported = match expected.network.as_str() {
            "deepid" => networks::deepid(),
            "residual" => networks::residual(),
            "vgg" => networks::vgg(),
            _ => networks::mobile(),
        };
        for channels_last in [false, true] {
            let network = load(&imported, channels_last);
            let batch_norm = if expected.trains { BatchNorm::Train } else { BatchNorm::Frozen };
            let mode = Mode { batch_norm, dropout: false };
            let batch = support::batch(&imported.description, 8);
            let found = network.gradients(&batch, expected.smoothing, mode, 0).unwrap();
            assert!((found.loss - expected.loss).abs() < 1e-8, "{title}: {} {}", found.loss, expected.loss);
            let gradients =
                found.of.iter().map(|(name, gradient)| (name.clone(), fingerprint(gradient))).collect();
            compare(title, &gradients, &expected.of);
        }
    }
}

#[test]
fn optimisers_move_weights_as_in_pytorch() {
    let sgd = |rate, momentum, nesterov| Recipe {
        optimizer: Optimizer::Sgd { momentum, nesterov },
        ..Recipe::sgd(rate)
    };
    let with = |optimizer, weight_decay, longest_gradient| Recipe {
        optimizer,
        weight_decay,
        longest_gradient,
        ..Recipe::sgd(0.01)
    };
    let recipes = [
        ("sgd", Recipe { weight_decay: 0.01, ..sgd(0.05, 0.9, false) }),
        ("nesterov", Recipe { longest_gradient: Some(0.5), ..sgd(0.05, 0.8, true) }),
        ("adam", with(Optimizer::Adam(Moments::default()), 0.02, None)),
        ("adamw", with(Optimizer::AdamW(Moments::default()), 0.1, Some(1.0))),
        ("ft_sam", Recipe { weight_decay: 5e-4, sharpness_radius: Some(0.5), ..sgd(0.02, 0.9, false) }),
    ];
    let reference = reference();
    assert_eq!(recipes.len(), reference.trainings.len());
    let imported = networks::vgg();
    let batch = support::batch(&imported.description, 8);
    for (title, recipe) in recipes {
        let expected = &reference.trainings[title];
        let mut trainer = Trainer::new(load(&imported, true), recipe).unwrap();
        for expected in &expected.losses {
            let report = trainer.step(&batch).unwrap();
            assert!((report.loss - expected).abs() < 1e-8, "{title}: {} {expected}", report.loss);
        }
        let network = trainer.into_network();
        let parameters = network.parameters().into_iter().filter(|parameter| parameter.trained);
        let weights = parameters
            .map(|parameter| (parameter.name.clone(), fingerprint(&network.weight(&parameter.name).unwrap())))
            .collect();
        compare(title, &weights, &expected.weights);
    }
}
