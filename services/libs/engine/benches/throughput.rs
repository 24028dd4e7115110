//! The engine against a bare loop over ONNX Runtime: same process, same pool, same network, same batch.
//!
//! The network is of DeepID's shape with made-up weights. Beside criterion's figures the ratio of the engine's
//! throughput to the bare loop's is printed, from rounds that take turns so that both see the same machine.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use gifthorse_engine::{Engine, InferRequest, Model, ModelOptions};
use ort::session::Session;
use ort::value::TensorRef;
use support::onnx::{Axis, FLOAT, Graph};
use tokio::runtime::Runtime;

const ROW: [u64; 3] = [55, 47, 3];
const ROW_LENGTH: usize = 55 * 47 * 3;
const BATCHES: [usize; 2] = [32, 64];

/// Small numbers without a pattern that matters.
fn made_up(count: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn with_weights(graph: Graph, name: &str, shape: &[u64]) -> Graph {
    graph.weights(name, shape, &made_up(shape.iter().product::<u64>() as usize))
}

fn convolution(graph: Graph, from: &str, to: &str, filters: u64, channels: u64, side: u64) -> Graph {
    let (weights, bias, sum) = (format!("{to}/w"), format!("{to}/b"), format!("{to}/sum"));
    let graph = with_weights(graph, &weights, &[filters, channels, side, side]);
    with_weights(graph, &bias, &[filters])
        .node("Conv", &[from, &weights, &bias], &sum, &[("kernel_shape", &[side, side])])
        .node("Relu", &[&sum], to, &[])
}

fn pool(graph: Graph, from: &str, to: &str) -> Graph {
    graph.node("MaxPool", &[from], to, &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])])
}

fn dense(graph: Graph, from: &str, to: &str, length: u64, units: u64) -> Graph {
    let (weights, bias, product) = (format!("{to}/w"), format!("{to}/b"), format!("{to}/product"));
    let graph = with_weights(graph, &weights, &[length, units]);
    with_weights(graph, &bias, &[units]).node("MatMul", &[from, &weights], &product, &[]).node(
        "Add",
        &[&product, &bias],
        to,
        &[],
    )
}

/// `[N, 55, 47, 3]` to probabilities `[N, 1283]`.
fn deep_id() -> Bytes {
    let [height, width, channels] = ROW.map(Axis::Fixed);
    let graph = Graph::new().input("x", FLOAT, &[Axis::Free, height, width, channels]).node(
        "Transpose",
        &["x"],
        "image",
        &[("perm", &[0, 3, 1, 2])],
    );
    let graph = pool(convolution(graph, "image", "conv_1", 20, 3, 4), "conv_1", "pool_1");
    let graph = pool(convolution(graph, "pool_1", "conv_2", 40, 20, 3), "conv_2", "pool_2");
    let graph = pool(convolution(graph, "pool_2", "conv_3", 60, 40, 3), "conv_3", "pool_3");
    let graph = convolution(graph, "pool_3", "conv_4", 80, 60, 2)
        .node("Flatten", &["pool_3"], "flat_3", &[])
        .node("Flatten", &["conv_4"], "flat_4", &[]);
    let graph = dense(graph, "flat_3", "fc_1", 5 * 4 * 60, 160);
    let graph = dense(graph, "flat_4", "fc_2", 4 * 3 * 80, 160);
    let graph = graph.node("Add", &["fc_1", "fc_2"], "merged", &[]).node("Relu", &["merged"], "deep_id", &[]);
    let graph = dense(graph, "deep_id", "logits", 160, 1283).node("Softmax", &["logits"], "y", &[]).output(
        "y",
        FLOAT,
        &[Axis::Free, Axis::Fixed(1283)],
    );
    Bytes::from(graph.file())
}

struct Bare {
    session: Session,
    images: Vec<f32>,
    rows: usize,
}

impl Bare {
    fn new(engine: &Engine, rows: usize) -> Self {
        let session = Session::builder(engine.environment()).unwrap().commit_from_memory(&deep_id()).unwrap();
        Self { session, images: made_up(rows * ROW_LENGTH), rows }
    }

    /// How long `runs` runs take.
    fn run(&mut self, runs: u64) -> Duration {
        let started = Instant::now();
        for _ in 0..runs {
            let shape = vec![self.rows as i64, 55, 47, 3];
            let images = TensorRef::from_array_view((shape, &*self.images)).unwrap();
            let outputs = self.session.run(ort::inputs![images]).unwrap();
            let (_, answers) = outputs[0].try_extract_tensor::<f32>().unwrap();
            std::hint::black_box(answers.to_vec());
        }
        started.elapsed()
    }
}

struct Served {
    model: Model,
    runtime: Runtime,
    request: InferRequest,
    in_flight: usize,
}

impl Served {
    /// Requests of `rows` rows each, enough of them in flight for two batches.
    fn new(engine: &Engine, batch: usize, rows: usize) -> Self {
        let max_batch_rows = NonZeroUsize::new(batch).unwrap();
        let options = ModelOptions { max_batch_rows, ..ModelOptions::new("deep_id") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = runtime.block_on(engine.load(deep_id(), options)).unwrap();
        let shape = [[rows as u64].as_slice(), &ROW].concat();
        let request = InferRequest::new(vec![support::input("x", &shape, made_up(rows * ROW_LENGTH))]);
        Self { model, runtime, request, in_flight: (2 * batch / rows).max(1) }
    }

    /// How long `requests` requests take.
    fn run(&self, requests: u64) -> Duration {
        let started = Instant::now();
        self.runtime.block_on(async {
            let mut waiting = FuturesUnordered::new();
            let mut sent = 0;
            while sent < requests || !waiting.is_empty() {
                while sent < requests && waiting.len() < self.in_flight {
                    waiting.push(self.model.infer(self.request.clone()));
                    sent += 1;
                }
                std::hint::black_box(waiting.next().await.expect("one waits").expect("it is answered"));
            }
        });
        started.elapsed()
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Processor time of the process so far, in the kernel's ticks.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the bench runs on Linux");
    // After the command in parentheses; user and system time are the 12th and 13th field from there.
    let (_, fields) = stat.rsplit_once(')').expect("the command is in parentheses");
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Wall times and processor time of the rounds of one contestant.
struct Rounds {
    wall: Vec<Duration>,
    ticks: u64,
}

impl Rounds {
    fn round(&mut self, run: impl FnOnce() -> Duration) {
        let before = processor_ticks();
        self.wall.push(run());
        self.ticks += processor_ticks() - before;
    }
}

/// Prints how much of the bare loop's throughput the engine keeps, by the clock and by processor time; the
/// latter holds on a busy machine too.
fn print_ratio(batch: usize, bare: &mut Bare, whole: &Served, single: &Served) {
    const ROUNDS: usize = 25;
    const RUNS: u64 = 20;
    let mut rounds = [const { Rounds { wall: Vec::new(), ticks: 0 } }; 3];
    for _ in 0..ROUNDS {
        rounds[0].round(|| bare.run(RUNS));
        rounds[1].round(|| whole.run(RUNS));
        rounds[2].round(|| single.run(RUNS * batch as u64));
    }
    let [bare, whole, single] = rounds.map(|rounds| (median(rounds.wall).as_secs_f64(), rounds.ticks as f64));
    let rows = (RUNS * batch as u64) as f64;
    println!("batch {batch}: bare loop {:.0} rows/s", rows / bare.0);
    for (name, (wall, ticks)) in [("whole batches", whole), ("single rows", single)] {
        println!(
            "batch {batch}: engine, {name}: {:.0} rows/s, ratio {:.3}; by processor time {:.3}",
            rows / wall,
            bare.0 / wall,
            bare.1 / ticks,
        );
    }
}

/// Prints what the engine adds to a lone request.
fn print_latency(engine: &Engine) {
    const REQUESTS: usize = 2000;
    let mut bare = Bare::new(engine, 1);
    let mut served = Served::new(engine, 32, 1);
    served.in_flight = 1;
    let alone = median((0..REQUESTS).map(|_| bare.run(1)).collect());
    let through = median((0..REQUESTS).map(|_| served.run(1)).collect());
    println!(
        "one row at a time: bare run p50 {} us, through the engine p50 {} us",
        alone.as_micros(),
        through.as_micros()
    );
}

fn throughput(criterion: &mut Criterion) {
    let Some(engine) = support::engine() else { return };
    print_latency(&engine);
    for batch in BATCHES {
        let mut bare = Bare::new(&engine, batch);
        let whole = Served::new(&engine, batch, batch);
        let single = Served::new(&engine, batch, 1);
        print_ratio(batch, &mut bare, &whole, &single);
        let mut group = criterion.benchmark_group(format!("deep_id/{batch}"));
        group.throughput(Throughput::Elements(batch as u64)).sample_size(20);
        group.bench_function("bare", |bencher| bencher.iter_custom(|runs| bare.run(runs)));
        group.bench_function("engine", |bencher| bencher.iter_custom(|runs| whole.run(runs)));
        group.bench_function("engine, single rows", |bencher| {
            bencher.iter_custom(|runs| single.run(runs * batch as u64));
        });
        group.finish();
    }
}

criterion_group!(benches, throughput);
criterion_main!(benches);
