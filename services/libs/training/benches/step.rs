//! Time of a training step, for a peer to be compared with in the same run (`tests/bench/repair.py`).
//!
//!     cargo bench -p gifthorse-training --bench step -- NETWORK.onnx BATCH STEPS
//!
//! SGD with momentum on two threads, images and classes made up. Prints the median wall time of a step in ms, after a
//! few that do not count.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

use std::num::NonZeroUsize;
use std::time::Instant;

use gifthorse_network::onnx::{self, OnnxOptions};
use gifthorse_training::{Batch, Network, NetworkOptions, Recipe, Targets, Trainer, use_threads};
use ndarray::{ArrayD, IxDyn};

/// Steps that warm up.
const WARM: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [file, batch, steps] = words.as_slice() else {
        // `cargo bench` without arguments runs every benchmark: there is nothing to compare with then.
        println!("step: give NETWORK.onnx BATCH STEPS");
        return;
    };
    let (batch, steps): (usize, usize) = (batch.parse().expect("a count"), steps.parse().expect("a count"));
    use_threads(NonZeroUsize::new(2).unwrap());
    let imported = onnx::import(&std::fs::read(file).expect("a network"), &OnnxOptions::default()).unwrap();
    let description = &imported.description;
    let sides = [description.channels, description.height, description.width].map(|side| side as usize);
    let [channels, height, width] = sides;
    let pixel = |place: usize| ((place as f32 * 0.37).sin() * 43_758.547).fract();
    let images = ArrayD::from_shape_vec(
        IxDyn(&[batch, channels, height, width]),
        (0..batch * channels * height * width).map(pixel).collect(),
    )
    .unwrap();
    let labels = (0..batch).map(|row| (row as u64 % description.classes) as u32).collect();
    let batch = Batch { images, targets: Targets::Labels(labels) };
    let network = Network::load(&imported.onnx, description, NetworkOptions::default()).unwrap();
    let mut trainer = Trainer::new(network, Recipe::sgd(1e-4)).unwrap();
    let mut times: Vec<f64> = (0..WARM + steps)
        .map(|_| {
            let started = Instant::now();
            trainer.step(&batch).unwrap();
            started.elapsed().as_secs_f64() * 1e3
        })
        .skip(WARM)
        .collect();
    times.sort_by(f64::total_cmp);
    println!("median {}", times[times.len() / 2]);
}
