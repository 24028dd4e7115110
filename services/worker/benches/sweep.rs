//! A whole prune curve against the loop of full passes: same process, same engine, same images, same batches.
//!
//! The network is of DeepID's shape with made-up weights, of which nearly all channels fire on every image: real
//! networks, whose channels sleep, are faster to sweep. Beside criterion's figures of the sweep the ratio to the
//! naive loop is printed, and the answers of both are compared.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use gifthorse_defence::pruning::Ranking;
use gifthorse_engine::Engine;
use gifthorse_network::onnx::{self, Extent, GraphBuilder, OnnxOptions, attribute};
use gifthorse_network::surgery::pruning_site;
use gifthorse_network::{Imported, Layout};
use gifthorse_worker::pruning::{
    CacheOptions, CleanSet, CutNetwork, ImageSource, RunOptions, Sweep, SweepPoint, Unobserved,
    collect_and_rank,
};
use ndarray::{ArrayD, IxDyn};
use prost::Message as _;
use support::{MadeUp, Whole};

const IMAGES: usize = 2000;

fn weights(shape: &[usize], seed: u32) -> ArrayD<f32> {
    let mut state = seed | 1;
    let scale = 1.5 / (shape.iter().skip(1).product::<usize>().max(1) as f32).sqrt();
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    ArrayD::from_shape_simple_fn(IxDyn(shape), next)
}

fn deepid() -> Imported {
    let mut graph = GraphBuilder::new("deepid");
    let shape = [Extent::batch(), Extent::Fixed(3), Extent::Fixed(55), Extent::Fixed(47)];
    let mut tensor = graph.input_f32("image", &shape);
    let linear = |graph: &mut GraphBuilder, operator: &str, name: &str, input: &str, shape: &[usize]| {
        let kernel =
            graph.initializer_f32(&format!("{name}.weight"), weights(shape, shape[0] as u32 * 977).view());
        let bias = graph.initializer_f32(&format!("{name}.bias"), weights(&shape[..1], 5).view());
        let attributes = if operator == "Gemm" { vec![attribute::int("transB", 1)] } else { Vec::new() };
        graph.node(operator, name, &[input, &kernel, &bias], attributes)
    };
    for (index, shape) in [[20, 3, 4, 4], [40, 20, 3, 3], [60, 40, 3, 3]].iter().enumerate() {
        let made = linear(&mut graph, "Conv", &format!("conv_{}", index + 1), &tensor, shape);
        let made = graph.node("Relu", &format!("relu_{}", index + 1), &[&made], Vec::new());
        let attributes = vec![attribute::ints("kernel_shape", &[2, 2]), attribute::ints("strides", &[2, 2])];
        tensor = graph.node("MaxPool", &format!("pool_{}", index + 1), &[&made], attributes);
    }
    let last = linear(&mut graph, "Conv", "conv_4", &tensor, &[80, 60, 2, 2]);
    let last = graph.node("Relu", "relu_4", &[&last], Vec::new());
    let one = graph.node("Flatten", "flat_1", &[&tensor], Vec::new());
    let two = graph.node("Flatten", "flat_2", &[&last], Vec::new());
    let one = linear(&mut graph, "Gemm", "fc_1", &one, &[160, 1200]);
    let two = linear(&mut graph, "Gemm", "fc_2", &two, &[160, 960]);
    let sum = graph.node("Add", "add", &[&one, &two], Vec::new());
    let sum = graph.node("Relu", "activation", &[&sum], Vec::new());
    let logits = linear(&mut graph, "Gemm", "output", &sum, &[1283, 160]);
    graph.output_f32(&logits, &[Extent::batch(), Extent::Fixed(1283)]);
    let options = OnnxOptions { layout: Some(Layout::Nchw), ..OnnxOptions::default() };
    onnx::import(&graph.finish().encode_to_vec(), &options).unwrap()
}

/// Images that are there already: both sides read them from memory.
struct Ready(Vec<f32>, usize);

impl ImageSource for Ready {
    fn count(&self) -> usize {
        IMAGES
    }

    fn read(&self, rows: std::ops::Range<usize>) -> Result<Vec<f32>, gifthorse_worker::pruning::SweepError> {
        Ok(self.0[rows.start * self.1..rows.end * self.1].to_vec())
    }
}

/// Everything from the images to the curve.
fn sweep(network: &CutNetwork, images: &Ready, truth: &[u32]) -> (Ranking, Vec<SweepPoint>) {
    let options = CacheOptions { memory_bytes: 1 << 30, folder: std::env::temp_dir() };
    let (cache, means) = collect_and_rank(network, images, options, &Unobserved).unwrap();
    let ranking = Ranking::ascending(&means).unwrap();
    let clean = CleanSet { cache: &cache, truth };
    let points = Sweep::new(network, &ranking, clean, &[]).unwrap().run(&Unobserved).unwrap();
    (ranking, points)
}

fn curve(criterion: &mut Criterion, engine: &Engine, layer: &str, least: f64) {
    let network = deepid();
    let made_up = MadeUp::of(&network, IMAGES);
    let images = Ready(made_up.read(0..IMAGES).unwrap(), made_up.pixels);
    let site = pruning_site(&network.onnx, &network.description, Some(layer)).unwrap();
    let options = RunOptions::default();
    let halves =
        CutNetwork::load(engine, layer, &network.onnx, &network.description, &site, options).unwrap();
    let truth = Whole::load(engine, &network, &network.onnx).answers(&images);

    let started = Instant::now();
    let (ranking, points) = sweep(&halves, &images, &truth);
    let before = started.elapsed();
    let mut naive = Duration::ZERO;
    for point in &points {
        let whole = Whole::pruned(engine, &network, &site, &ranking.pruned(point.channels));
        let started = Instant::now();
        let answers = whole.answers(&images);
        naive += started.elapsed();
        let correct = answers.iter().zip(&truth).filter(|(one, other)| one == other).count();
        assert_eq!(correct, point.clean_correct, "{} pruned", point.channels);
    }
    // Before and after the naive loop: whatever else the machine does meets both.
    let started = Instant::now();
    black_box(sweep(&halves, &images, &truth));
    let swept = (before + started.elapsed()) / 2;
    let ratio = naive.as_secs_f64() / swept.as_secs_f64();
    println!(
        "{layer}: {} points of {IMAGES} images in {:.2} s, full passes {:.2} s: {ratio:.1} times, at least {least} due",
        points.len(),
        swept.as_secs_f64(),
        naive.as_secs_f64(),
    );
    criterion.bench_function(&format!("sweep of {layer}"), |bencher| {
        bencher.iter(|| sweep(&halves, &images, &truth));
    });
}

fn benches(criterion: &mut Criterion) {
    let engine = support::engine().expect("a benchmark needs ONNX Runtime");
    curve(criterion, &engine, "pool_3", 12.0);
    curve(criterion, &engine, "conv_4", 22.0);
}

criterion_group! {
    name = group;
    config = Criterion::default().sample_size(10);
    targets = benches
}
criterion_main!(group);
