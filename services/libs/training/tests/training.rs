//! Trainings that repeat themselves, are interrupted, or stop.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "for tests only")]

mod support;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use gifthorse_api::catalogue::{Coded as _, ErrorCode};
use gifthorse_network::onnx::attribute::{int, ints};
use gifthorse_network::{Imported, Layout};
use gifthorse_training::{
    BatchNorm, Checkpoint, Decays, Device, FeatureShift, InMemory, Mode, Moments, Network, NetworkOptions,
    Optimizer, Recipe, Role, Schedule, Targets, Trainer, TrainingError, Watched,
};
use ndarray::{Array2, Axis, Slice};
use support::net::Net;
use support::networks;

fn load(imported: &Imported) -> Network {
    Network::load(&imported.onnx, &imported.description, NetworkOptions::default()).unwrap()
}

fn examples(imported: &Imported, count: usize) -> InMemory {
    let targets = Targets::Labels(support::labels(&imported.description, count));
    InMemory::new(support::images(&imported.description, count, 0.3), targets).unwrap()
}

/// All that makes a training hard to repeat: dropout, statistics of batches, moments, a schedule.
fn recipe() -> Recipe {
    Recipe {
        optimizer: Optimizer::AdamW(Moments::default()),
        schedule: Schedule::Cosine { epochs: 3.0, left: 0.1 },
        weight_decay: 0.01,
        decays: Decays::Weights,
        label_smoothing: 0.1,
        longest_gradient: Some(1.0),
        batch: NonZeroUsize::new(8).unwrap(),
        seed: 7,
        mode: Mode { batch_norm: BatchNorm::Train, dropout: true },
        ..Recipe::sgd(0.01)
    }
}

/// Trains for three epochs of three steps and answers the file; after each of these steps, if any, the training
/// is put down and taken up by a new trainer.
fn trained(imported: &Imported, recipe: &Recipe, breaks: &[u64]) -> Vec<u8> {
    let mut examples = examples(imported, 20);
    let mut trainer = Trainer::new(load(imported), recipe.clone()).unwrap();
    while trainer.position().epoch < 3 {
        let flow = |step: u64| {
            if breaks.contains(&step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        trainer.run_epoch(&mut examples, |report| flow(report.step + 1)).unwrap();
        if breaks.contains(&trainer.position().step) {
            let checkpoint = Checkpoint::from_bytes(&trainer.checkpoint().unwrap()).unwrap();
            assert_eq!(checkpoint.position(), trainer.position());
            trainer = Trainer::resume(load(imported), recipe.clone(), &checkpoint).unwrap();
        }
    }
    assert_eq!(trainer.position().step, 9);
    trainer.into_network().to_onnx().unwrap()
}

#[test]
fn resumed_trainings_end_with_the_same_bits() {
    let adaptive = recipe();
    let optimizer = Recipe::sgd(0.1).optimizer;
    let flat = Recipe { sharpness_radius: Some(0.1), optimizer, ..recipe() };
    let shift = FeatureShift { head: "fc.weight".to_owned(), strength: 0.2 };
    let shifted = Recipe { feature_shift: Some(shift), optimizer, ..recipe() };
    let trainings = [
        (networks::vgg(), &adaptive, 2),
        (networks::vgg(), &flat, 1),
        (networks::residual(), &adaptive, 1),
        (networks::residual(), &flat, 2),
        (networks::residual(), &shifted, 1),
    ];
    for (imported, recipe, threads) in trainings {
        gifthorse_training::use_threads(NonZeroUsize::new(threads).unwrap());
        let undisturbed = trained(&imported, recipe, &[]);
        assert!(undisturbed == trained(&imported, recipe, &[]), "the same seed");
        // In the middle of an epoch, at an end and just after it.
        let breaks = [2, 6, 7];
        assert!(undisturbed == trained(&imported, recipe, &breaks), "put down after {breaks:?} steps");
    }
    let other = Recipe { seed: 8, ..recipe() };
    let imported = networks::vgg();
    assert!(trained(&imported, &adaptive, &[]) != trained(&imported, &other, &[]), "another seed");
}

#[test]
fn masks_and_frozen_tensors_come_out_of_a_checkpoint() {
    let imported = networks::residual();
    let cut = gifthorse_network::surgery::default_cut(&imported.onnx, &imported.description).unwrap();
    let mut network = load(&imported);
    let kept: Vec<bool> = (0..cut.channels).map(|channel| channel > 2).collect();
    network.mask_channels(&cut.tensor, &kept).unwrap();
    network.freeze(|parameter| parameter.name.starts_with("fc.") || parameter.role == Role::Bias).unwrap();
    let head = network.weight("fc.weight").unwrap();
    let mut trainer = Trainer::new(network, recipe()).unwrap();
    let mut examples = examples(&imported, 20);
    trainer.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap();
    let bytes = trainer.checkpoint().unwrap();
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!(checkpoint.environment().device, Device::Cpu);
    let mut resumed = Trainer::resume(load(&imported), recipe(), &checkpoint).unwrap();
    assert_eq!(resumed.network().masks().unwrap(), [(cut.tensor, kept)]);
    resumed.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap();
    trainer.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap();
    assert!(resumed.checkpoint().unwrap() == trainer.checkpoint().unwrap());
    assert_eq!(resumed.network().weight("fc.weight").unwrap(), head, "a frozen head stays");
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let imported = networks::vgg();
    let mut trainer = Trainer::new(load(&imported), recipe()).unwrap();
    let mut data = examples(&imported, 20);
    trainer.run_epoch(&mut data, |_| ControlFlow::Break(())).unwrap();
    let bytes = trainer.checkpoint().unwrap();
    for place in [0, 9, 40, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(matches!(Checkpoint::from_bytes(&damaged), Err(TrainingError::Checkpoint { .. })), "{place}");
    }
    for length in [0, 7, 31, 33, bytes.len() - 1] {
        assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    let other = Trainer::resume(load(&networks::residual()), recipe(), &checkpoint).unwrap_err();
    assert!(matches!(other, TrainingError::OtherTraining { .. }), "{other}");
    let recipe = Recipe { learning_rate: 0.02, ..recipe() };
    let other = Trainer::resume(load(&imported), recipe, &checkpoint).unwrap_err();
    assert!(matches!(other, TrainingError::OtherTraining { .. }), "{other}");
    let other = trainer.run_epoch(&mut examples(&imported, 21), |_| ControlFlow::Continue(())).unwrap_err();
    assert!(other.to_string().contains("20 then, 21 now"), "{other}");
}

#[test]
fn operators_without_gradients_are_named_all_of_them() {
    let mut net = Net::new(Layout::Nchw, [3, 8, 8]);
    let image = net.image.clone();
    let made = net.node("LpPool", &[&image], vec![ints("kernel_shape", &[2, 2])]);
    let made = net.node("Sign", &[&made], vec![]);
    let gaps = vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])];
    let made = net.node("AveragePool", &[&made], gaps);
    let flat = net.flat(&made);
    let logits = net.dense("fc", &flat, [3, 3 * 5 * 5]);
    let imported = net.finish(&logits, 3);
    let error = Network::load(&imported.onnx, &imported.description, NetworkOptions::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ModelFileUnsupported);
    let TrainingError::UnsupportedOperators { operators } = error else { panic!("{error}") };
    let named: Vec<&str> = operators.iter().map(|operator| operator.operator.as_str()).collect();
    assert_eq!(named, ["LpPool", "Sign", "AveragePool"]);
    assert!(operators[2].reason.contains("dilations"), "{}", operators[2]);
}

#[test]
fn a_loss_that_is_no_number_stops_with_its_step() {
    let imported = networks::residual();
    let mode = Mode { batch_norm: BatchNorm::Train, dropout: false };
    let mut trainer = Trainer::new(load(&imported), Recipe { mode, ..Recipe::sgd(0.01) }).unwrap();
    let mut batch = support::batch(&imported.description, 6);
    trainer.step(&batch).unwrap();
    trainer.step(&batch).unwrap();
    let before = trainer.checkpoint().unwrap();
    batch.images[[1, 0, 0, 0]] = f32::NAN;
    let error = trainer.step(&batch).unwrap_err();
    let TrainingError::NotFinite { what: Watched::Loss, value, step: 2, epoch: 0 } = error else {
        panic!("{error}")
    };
    assert!(value.is_nan());
    assert!(trainer.checkpoint().unwrap() == before, "weights and statistics are those before the step");

    // A rate that throws the weights out of all bounds is noticed as well, whatever breaks first.
    let mut trainer = Trainer::new(load(&networks::vgg()), Recipe::sgd(1e18)).unwrap();
    let mut examples = examples(&networks::vgg(), 400);
    let error = trainer.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, TrainingError::NotFinite { step: 1.., .. }), "{error}");
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let imported = networks::residual();
    let description = &imported.description;
    let mut trainer = Trainer::new(load(&imported), recipe()).unwrap();
    let batch = support::batch(description, 4);
    let small = gifthorse_training::Batch {
        images: batch.images.slice_axis(Axis(2), Slice::from(1..)).to_owned(),
        ..batch.clone()
    };
    assert!(matches!(trainer.step(&small), Err(TrainingError::Shape { what: "the batch of images", .. })));
    let few = gifthorse_training::Batch { targets: Targets::Labels(vec![0; 3]), ..batch.clone() };
    assert!(matches!(trainer.step(&few), Err(TrainingError::Shape { what: "the batch of targets", .. })));
    let beyond = gifthorse_training::Batch { targets: Targets::Labels(vec![0, 1, 5, 2]), ..batch.clone() };
    let error = trainer.step(&beyond).unwrap_err();
    assert!(matches!(error, TrainingError::Label { index: 2, label: 5, classes: 5 }), "{error}");
    let narrow = Targets::Soft(Array2::from_elem((4, 4), 0.25));
    assert!(trainer.step(&gifthorse_training::Batch { targets: narrow, ..batch.clone() }).is_err());
    for count in [0, 1] {
        let error = trainer.run_epoch(&mut examples(&imported, count), |_| ControlFlow::Continue(()));
        assert!(matches!(error, Err(TrainingError::TooFewImages { .. })), "{count}");
    }
    // Fewer images than a batch are one batch.
    let report = trainer.run_epoch(&mut examples(&imported, 3), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.images, trainer.position().step, trainer.position().epoch), (3, 1, 1));

    for recipe in [
        Recipe::sgd(0.0),
        Recipe::sgd(f64::NAN),
        Recipe { label_smoothing: 1.0, ..Recipe::sgd(0.1) },
        Recipe { longest_gradient: Some(0.0), ..Recipe::sgd(0.1) },
        Recipe { optimizer: Optimizer::Sgd { momentum: 1.0, nesterov: false }, ..Recipe::sgd(0.1) },
    ] {
        assert!(matches!(Trainer::new(load(&imported), recipe), Err(TrainingError::Setting { .. })));
    }
    let mut frozen = load(&imported);
    frozen.freeze(|_| true).unwrap();
    assert!(matches!(Trainer::new(frozen, recipe()), Err(TrainingError::NothingToTrain)));
    let absent = NetworkOptions { device: Device::Cuda(99), ..NetworkOptions::default() };
    let error = Network::load(&imported.onnx, description, absent).unwrap_err();
    assert!(matches!(error, TrainingError::Device { .. }), "{error}");
    assert!(matches!(load(&imported).weight("none"), Err(TrainingError::NoSuchTensor { .. })));
    assert!(load(&imported).mask_channels("none", &[true]).is_err());
}

#[test]
fn answers_of_another_network_can_be_learned() {
    support::one_thread();
    let imported = networks::deepid();
    let teacher = load(&imported);
    let images = support::images(&imported.description, 40, 0.3);
    let logits = teacher.logits(images.view()).unwrap();
    let mut soft = logits.mapv(f32::exp);
    for mut row in soft.rows_mut() {
        row /= row.sum();
    }
    let mut student = load(&imported);
    let changed = student.weight("output.weight").unwrap() * 0.2;
    student.set_weight("output.weight", changed.view()).unwrap();
    let mut examples = InMemory::new(images.clone(), Targets::Soft(soft)).unwrap();
    let mut trainer = Trainer::new(student, Recipe { learning_rate: 0.05, ..Recipe::sgd(0.05) }).unwrap();
    let apart = |network: &Network| {
        let found = network.logits(images.view()).unwrap();
        (&found - &logits).mapv(|error| error * error).mean().unwrap()
    };
    let before = apart(trainer.network());
    for _ in 0..30 {
        trainer.run_epoch(&mut examples, |_| ControlFlow::Continue(())).unwrap();
    }
    let after = apart(trainer.network());
    assert!(after < before / 10.0, "{before} {after}");
}

#[test]
fn matrices_stored_turned_and_biases_added_apart_are_trained() {
    let mut net = Net::new(Layout::Nchw, [3, 4, 4]);
    let image = net.image.clone();
    let flat = net.flat(&image);
    let stored = net.stored("matrix", &[5, 48], 0.2, 0.0);
    let turned = net.node("Transpose", &[&stored], vec![ints("perm", &[1, 0])]);
    let bias = net.stored("bias", &[5], 0.1, 0.0);
    let scale = net.stored("scale", &[5], 0.1, 1.0);
    let product = net.node("MatMul", &[&flat, &turned], vec![]);
    let sum = net.node("Add", &[&bias, &product], vec![]);
    let scaled = net.node("Mul", &[&sum, &scale], vec![]);
    let joined = net.node("Concat", &[&scaled, &scaled], vec![int("axis", 1)]);
    let imported = net.finish(&joined, 10);
    let roles: Vec<(String, Role)> =
        load(&imported).parameters().into_iter().map(|parameter| (parameter.name, parameter.role)).collect();
    let expected = [("matrix", Role::Weight), ("bias", Role::Bias), ("scale", Role::Fixed)];
    assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role)));
    let mut trainer = Trainer::new(load(&imported), Recipe::sgd(0.1)).unwrap();
    trainer.step(&support::batch(&imported.description, 4)).unwrap();
    for (name, role) in expected {
        let unchanged = trainer.network().weight(name).unwrap() == load(&imported).weight(name).unwrap();
        assert_eq!(unchanged, role == Role::Fixed, "{name}");
    }
}

#[test]
fn a_shifted_output_layer_starts_anew_and_keeps_its_length() {
    let imported = networks::residual();
    let network = load(&imported);
    let before = network.weight("fc.weight").unwrap();
    let shift = FeatureShift { head: "fc.weight".to_owned(), strength: 0.2 };
    let mut trainer = Trainer::new(network, Recipe::feature_shift(0.01, shift.clone(), 3)).unwrap();
    let cosine = |one: &ndarray::ArrayD<f32>| {
        let dot: f32 = one.iter().zip(&before).map(|(one, other)| one * other).sum();
        let length =
            |values: &ndarray::ArrayD<f32>| values.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length(one) / length(&before) - 1.0).abs() < 1e-4, "the length stays");
        dot / length(one) / length(&before)
    };
    let begun = cosine(&trainer.network().weight("fc.weight").unwrap());
    assert!(begun.abs() < 0.5, "drawn anew: {begun}");
    for _ in 0..3 {
        trainer.run_epoch(&mut examples(&imported, 20), |_| ControlFlow::Continue(())).unwrap();
    }
    let ended = cosine(&trainer.network().weight("fc.weight").unwrap());
    assert!(ended < begun, "pushed away from what it was: {ended} {begun}");
    let missing = FeatureShift { head: "fc.wait".to_owned(), ..shift };
    let refused = Trainer::new(load(&imported), Recipe::feature_shift(0.01, missing, 3)).unwrap_err();
    assert!(refused.to_string().contains("fc.wait"), "{refused}");
}
