//! Models in the real ONNX Runtime.

#![allow(clippy::expect_used, reason = "for tests only")]

mod support;

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_engine::{
    Datatype, Engine, EngineError, EngineOptions, Execution, InferRequest, Model, ModelOptions, NamedTensor,
    Provider, Tensor,
};
use proptest::test_runner::TestRunner;
use proptest::{collection, prelude::Strategy, prop_assert_eq};
use support::onnx::{Axis, FLOAT, Graph, INT64, STRING};
use support::{engine, infer, input};

/// y = 2 x + (0, 10, 20), rows of three.
fn affine(rows: Axis) -> Bytes {
    let graph = Graph::new()
        .node("Mul", &["x", "two"], "doubled", &[])
        .node("Add", &["doubled", "tens"], "y", &[])
        .weights("two", &[1], &[2.0])
        .weights("tens", &[3], &[0.0, 10.0, 20.0])
        .input("x", FLOAT, &[rows, Axis::Fixed(3)])
        .output("y", FLOAT, &[rows, Axis::Fixed(3)]);
    Bytes::from(graph.file())
}

fn affine_of(values: &[f32]) -> Vec<f32> {
    values.iter().zip([0.0, 10.0, 20.0].iter().cycle()).map(|(value, ten)| value * 2.0 + ten).collect()
}

/// y = ln x and z = -x, element by element.
fn logarithm_and_negation() -> Bytes {
    let shape = [Axis::Free, Axis::Fixed(2)];
    let graph = Graph::new()
        .node("Log", &["x"], "y", &[])
        .node("Neg", &["x"], "z", &[])
        .input("x", FLOAT, &shape)
        .output("y", FLOAT, &shape)
        .output("z", FLOAT, &shape);
    Bytes::from(graph.file())
}

async fn load(engine: &Engine, onnx: Bytes) -> Model {
    engine.load(onnx, ModelOptions::new("test")).await.expect("the file is good")
}

#[tokio::test]
async fn a_model_tells_what_it_takes_and_gives() {
    let Some(engine) = engine() else { return };
    let model = load(&engine, affine(Axis::Free)).await;
    assert_eq!(model.inputs().len(), 1);
    assert_eq!(model.inputs()[0].name, "x");
    assert_eq!(model.inputs()[0].datatype, Datatype::Fp32);
    assert_eq!(model.inputs()[0].shape, [None, Some(3)]);
    assert_eq!(model.outputs()[0].shape, [None, Some(3)]);
    assert_eq!(model.max_batch_rows(), Some(64));
    assert_eq!(model.provider(), &Provider::Cpu { instead_of_cuda: None });
    assert_eq!(model.statistics().executions, 0, "warm-up does not count");
    let values = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(infer(&model, [2, 3], values.clone()).await.unwrap(), affine_of(&values));
    model.unload().await;
}

#[test]
fn many_concurrent_requests_get_exactly_their_rows() {
    let Some(engine) = engine() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let options = |instances: usize, max_delay| ModelOptions {
        max_batch_rows: NonZeroUsize::new(16).unwrap(),
        queue_rows: NonZeroUsize::new(4096).unwrap(),
        instances: NonZeroUsize::new(instances).unwrap(),
        max_delay,
        ..ModelOptions::new("rows")
    };
    let models = [options(1, Duration::ZERO), options(2, Duration::from_micros(50))]
        .map(|options| runtime.block_on(engine.load(affine(Axis::Free), options)).unwrap());
    let sizes = collection::vec(1_usize..40, 1..60);
    let mut expected_rows = 0;
    let mut runner = TestRunner::deterministic();
    for _ in 0..24 {
        let sizes = sizes.new_tree(&mut runner).unwrap();
        let sizes = proptest::strategy::ValueTree::current(&sizes);
        expected_rows += sizes.iter().sum::<usize>() as u64;
        for model in &models {
            let requests = sizes.iter().enumerate().map(|(sender, rows)| {
                let values: Vec<f32> = (0..rows * 3).map(|place| (sender * 1000 + place) as f32).collect();
                async move {
                    let answer = infer(model, [*rows as u64, 3], values.clone()).await.unwrap();
                    prop_assert_eq!(answer, affine_of(&values));
                    Ok(())
                }
            });
            let outcomes: Result<(), proptest::test_runner::TestCaseError> =
                runtime.block_on(join_all(requests)).into_iter().collect();
            outcomes.unwrap();
        }
    }
    for model in models {
        runtime.block_on(model.unload());
        let statistics = model.statistics();
        assert_eq!(statistics.rows, expected_rows);
        assert_eq!(statistics.failure.count + statistics.cancelled + statistics.expired, 0);
        let run_rows: u64 =
            statistics.batches.iter().map(|(rows, batch)| rows * batch.compute_infer.count).sum();
        assert_eq!(run_rows, expected_rows, "each row is run once");
        assert!(statistics.batches.keys().all(|rows| *rows <= 16));
        assert!(statistics.executions < statistics.success.count * 2);
    }
}

#[tokio::test]
async fn a_scan_of_more_rows_than_a_batch_works() {
    let Some(engine) = engine() else { return };
    let model = load(&engine, affine(Axis::Free)).await;
    let values: Vec<f32> = (0..300_u16).map(f32::from).collect();
    assert_eq!(infer(&model, [100, 3], values.clone()).await.unwrap(), affine_of(&values));
    let sizes: Vec<u64> = model.statistics().batches.into_keys().collect();
    assert_eq!(sizes, [36, 64]);
}

#[tokio::test]
async fn a_fixed_batch_is_run_as_it_is() {
    let Some(engine) = engine() else { return };
    let model = load(&engine, affine(Axis::Fixed(2))).await;
    assert_eq!(model.max_batch_rows(), None);
    let values = vec![1.0; 6];
    let requests = (0..5).map(|_| infer(&model, [2, 3], values.clone()));
    for answer in join_all(requests).await {
        assert_eq!(answer.unwrap(), affine_of(&values));
    }
    let error = infer(&model, [3, 3], vec![1.0; 9]).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TensorShape);
    assert!(error.facts().contains(&("expected", "[2, 3]".to_owned())), "{error}");
}

#[tokio::test]
async fn outputs_that_do_not_follow_the_rows_switch_batching_off() {
    let Some(engine) = engine() else { return };
    // The sum over all rows, declared as if there were one for each.
    let graph = Graph::new()
        .node("ReduceSum", &["x", "rows"], "y", &[])
        .integers("rows", &[0])
        .input("x", FLOAT, &[Axis::Free, Axis::Fixed(3)])
        .output("y", FLOAT, &[Axis::Free, Axis::Fixed(3)]);
    let model = load(&engine, Bytes::from(graph.file())).await;
    assert_eq!(model.max_batch_rows(), None);
    let sums = join_all(
        (1..=4_u8).map(|rows| infer(&model, [u64::from(rows), 3], vec![1.0; usize::from(rows) * 3])),
    );
    for (rows, sum) in (1_u8..).zip(sums.await) {
        assert_eq!(sum.unwrap(), vec![f32::from(rows); 3]);
    }
    assert_eq!(infer(&model, [100, 3], vec![1.0; 300]).await.unwrap(), vec![100.0; 3]);
}

#[tokio::test]
async fn outputs_can_be_chosen() {
    let Some(engine) = engine() else { return };
    let model = load(&engine, logarithm_and_negation()).await;
    let ask = async |outputs: &[&str]| {
        let outputs = outputs.iter().map(|name| (*name).to_owned()).collect();
        let inputs = vec![input("x", &[1, 2], vec![1.0, 1.0])];
        let answer = model.infer(InferRequest { inputs, outputs, deadline: None }).await.unwrap();
        answer
            .into_iter()
            .map(|output| (output.name, output.tensor.to_f32().unwrap().into_owned()))
            .collect::<Vec<_>>()
    };
    let [y, z] = [("y".to_owned(), vec![0.0, 0.0]), ("z".to_owned(), vec![-1.0, -1.0])];
    assert_eq!(ask(&[]).await, [y.clone(), z.clone()]);
    assert_eq!(ask(&["z"]).await, std::slice::from_ref(&z));
    assert_eq!(ask(&["z", "y"]).await, [z, y]);
}

#[tokio::test]
async fn a_row_that_is_not_finite_fails_its_own_request_only() {
    let Some(engine) = engine() else { return };
    let model = load(&engine, logarithm_and_negation()).await;
    let rows = |values: [f32; 4]| infer(&model, [2, 2], values.to_vec());
    let answers = join_all([rows([1.0; 4]), rows([1.0, 1.0, 1.0, -1.0]), rows([1.0; 4])]).await;
    assert_eq!(answers[0], Ok(vec![0.0; 4]));
    assert_eq!(answers[1], Err(EngineError::NotFinite { output: "y".to_owned(), row: 1 }));
    assert_eq!(answers[2], Ok(vec![0.0; 4]));
    assert_eq!(answers[1].as_ref().unwrap_err().code(), ErrorCode::ModelNotFinite);
    // The output that was asked for is finite.
    let inputs = vec![input("x", &[1, 2], vec![-1.0, 1.0])];
    let outputs = vec!["z".to_owned()];
    assert!(model.infer(InferRequest { inputs, outputs, deadline: None }).await.is_ok());
}

#[tokio::test]
async fn a_wrong_index_fails_its_own_request_only() {
    let Some(engine) = engine() else { return };
    let graph = Graph::new()
        .node("Gather", &["table", "x"], "y", &[])
        .weights("table", &[3], &[5.0, 6.0, 7.0])
        .input("x", INT64, &[Axis::Free])
        .output("y", FLOAT, &[Axis::Free]);
    let model = load(&engine, Bytes::from(graph.file())).await;
    let ask = |index: i64| {
        let data = Bytes::copy_from_slice(&index.to_le_bytes());
        let tensor = Tensor { datatype: Datatype::Int64, shape: vec![1], data };
        model.infer(InferRequest::new(vec![NamedTensor { name: "x".to_owned(), tensor }]))
    };
    let answers = join_all([0, 1, 99, 2].map(ask)).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(Coded::code)).collect();
    assert_eq!(codes, [None, None, Some(ErrorCode::EngineFailed), None]);
    let last = answers[3].as_ref().unwrap();
    assert_eq!(&*last[0].tensor.to_f32().unwrap(), [7.0]);
}

#[tokio::test]
async fn every_datatype_goes_through() {
    let Some(engine) = engine() else { return };
    // The numbers of the element types in ONNX files.
    let types = [
        (Datatype::Uint8, 2),
        (Datatype::Int8, 3),
        (Datatype::Uint16, 4),
        (Datatype::Int16, 5),
        (Datatype::Int32, 6),
        (Datatype::Int64, 7),
        (Datatype::Bool, 9),
        (Datatype::Fp16, 10),
        (Datatype::Fp32, 1),
        (Datatype::Fp64, 11),
        (Datatype::Uint32, 12),
        (Datatype::Uint64, 13),
        (Datatype::Bf16, 16),
    ];
    assert_eq!(types.len(), Datatype::ALL.len());
    for (datatype, number) in types {
        let shape = [Axis::Free, Axis::Fixed(2)];
        let graph = Graph::new()
            .node("Identity", &["x"], "y", &[])
            .input("x", number, &shape)
            .output("y", number, &shape);
        let model = load(&engine, Bytes::from(graph.file())).await;
        assert_eq!(model.outputs()[0].datatype, datatype);
        // Two requests, so that rows are gathered; 0 and 1 are fine as bytes of every type.
        let requests = [1_u64, 3].map(|rows| {
            let bytes: Vec<u8> =
                (0..rows as usize * 2 * datatype.size()).map(|place| u8::from(place % 3 == 0)).collect();
            let tensor = Tensor { datatype, shape: vec![rows, 2], data: Bytes::from(bytes) };
            (
                tensor.clone(),
                model.infer(InferRequest::new(vec![NamedTensor { name: "x".to_owned(), tensor }])),
            )
        });
        let (sent, futures): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        for (sent, answer) in sent.into_iter().zip(join_all(futures).await) {
            assert_eq!(answer.unwrap()[0].tensor, sent, "{datatype}");
        }
    }
}

#[tokio::test]
async fn models_live_side_by_side() {
    let Some(engine) = engine() else { return };
    let own_pool = ModelOptions { threads: NonZeroUsize::new(2), ..ModelOptions::new("own pool") };
    let first = load(&engine, affine(Axis::Free)).await;
    let second = engine.load(logarithm_and_negation(), own_pool).await.unwrap();
    for _ in 0..20 {
        let (one, two) =
            tokio::join!(infer(&first, [1, 3], vec![1.0; 3]), infer(&second, [1, 2], vec![1.0; 2]));
        assert_eq!((one.unwrap(), two.unwrap()), (vec![2.0, 12.0, 22.0], vec![0.0, 0.0]));
    }
    first.unload().await;
    assert_eq!(infer(&second, [1, 2], vec![1.0; 2]).await.unwrap(), [0.0, 0.0]);
    assert_eq!(second.statistics().success.count, 21);
}

#[tokio::test]
async fn free_inner_axes_are_batched_by_shape() {
    let Some(engine) = engine() else { return };
    let shape = [Axis::Free, Axis::Free];
    let graph =
        Graph::new().node("Neg", &["x"], "y", &[]).input("x", FLOAT, &shape).output("y", FLOAT, &shape);
    let model = load(&engine, Bytes::from(graph.file())).await;
    assert_eq!(model.max_batch_rows(), Some(64));
    let requests = [2_u64, 5, 5, 2].map(|width| infer(&model, [1, width], vec![1.0; width as usize]));
    let widths: Vec<_> = join_all(requests).await.into_iter().map(|answer| answer.unwrap().len()).collect();
    assert_eq!(widths, [2, 5, 5, 2]);
}

#[tokio::test]
async fn bad_files_are_refused() {
    let Some(engine) = engine() else { return };
    let load = async |onnx: Vec<u8>| {
        engine.load(Bytes::from(onnx), ModelOptions::new("bad")).await.map(drop).unwrap_err()
    };
    assert_eq!(load(b"not an onnx file".to_vec()).await.code(), ErrorCode::ModelFileInvalid);
    let truncated = affine(Axis::Free)[..60].to_vec();
    assert_eq!(load(truncated).await.code(), ErrorCode::ModelFileInvalid);
    let shape = [Axis::Free];
    let strings = Graph::new()
        .node("Identity", &["x"], "y", &[])
        .input("x", STRING, &shape)
        .output("y", STRING, &shape);
    let error = load(strings.file()).await;
    assert_eq!(error.code(), ErrorCode::ModelFileUnsupported);
    assert!(error.to_string().contains("input \"x\""), "{error}");
    // Rows are declared free but the graph only takes one.
    let one_row = Graph::new()
        .node("Reshape", &["x", "shape"], "y", &[])
        .integers("shape", &[1, 3])
        .input("x", FLOAT, &[Axis::Free, Axis::Fixed(3)])
        .output("y", FLOAT, &[Axis::Free, Axis::Fixed(3)])
        .file();
    let error = load(one_row.clone()).await;
    assert!(matches!(error, EngineError::WarmUp { rows: 64, .. }), "{error}");
    let one = ModelOptions { max_batch_rows: NonZeroUsize::MIN, ..ModelOptions::new("one row") };
    let model = engine.load(Bytes::from(one_row), one).await.unwrap();
    assert_eq!(infer(&model, [3, 3], vec![1.0; 9]).await.unwrap(), vec![1.0; 9]);
}

#[tokio::test]
async fn without_a_gpu_the_cpu_takes_over_or_the_model_is_refused() {
    let Some(engine) = engine() else { return };
    let on_cuda = |required| {
        let execution = Execution::Cuda { device: 0, required };
        engine.load(affine(Axis::Free), ModelOptions { execution, ..ModelOptions::new("gpu") })
    };
    let model = on_cuda(false).await.unwrap();
    match (model.provider(), on_cuda(true).await) {
        (Provider::Cuda { device: 0 }, Ok(_)) => {}
        (Provider::Cpu { instead_of_cuda: Some(reason) }, Err(error)) => {
            assert!(!reason.is_empty());
            assert_eq!(error.code(), ErrorCode::ExecutionProviderMissing);
            assert!(error.to_string().contains("CUDA device 0"), "{error}");
        }
        (provider, required) => panic!("{provider:?} and {required:?} do not agree"),
    }
    assert_eq!(infer(&model, [1, 3], vec![0.0; 3]).await.unwrap(), [0.0, 10.0, 20.0]);
    assert_eq!(model.statistics().success.count, 1);
}

#[test]
fn a_thread_can_keep_several_requests_going() {
    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
    let Some(engine) = engine() else { return };
    let options =
        ModelOptions { instances: TWO, threads: Some(NonZeroUsize::MIN), ..ModelOptions::new("pieces") };
    let model = engine.load_blocking(affine(Axis::Free), options).unwrap();
    let begun: Vec<_> = (0..20_u16)
        .map(|number| vec![f32::from(number); 3])
        .map(|values| model.begin(InferRequest::new(vec![input("x", &[1, 3], values)])).unwrap())
        .collect();
    for (number, pending) in (0..20_u16).zip(begun) {
        let answer = pending.finish_blocking().unwrap();
        let due = affine_of(&[f32::from(number); 3]);
        assert_eq!(&*answer[0].tensor.to_f32().unwrap(), due);
    }
    let wrong = model.begin(InferRequest::new(vec![input("x", &[1, 2], vec![0.0; 2])])).map(drop);
    assert_eq!(wrong.unwrap_err().code(), ErrorCode::TensorShape);
}

#[test]
fn the_engine_starts_once_and_tells_what_differs() {
    let Some(engine) = engine() else { return };
    assert_eq!(Engine::start(&EngineOptions::default()).unwrap().library(), engine.library());
    let more = NonZeroUsize::new(engine.threads().get() + 1);
    let error = Engine::start(&EngineOptions { threads: more, ..EngineOptions::default() }).map(drop);
    assert!(matches!(error, Err(EngineError::StartedOtherwise { what: "threads", .. })));
    let model = engine.load_blocking(affine(Axis::Free), ModelOptions::new("blocking")).unwrap();
    let request = InferRequest::new(vec![input("x", &[1, 3], vec![0.0; 3])]);
    assert_eq!(&*model.infer_blocking(request).unwrap()[0].tensor.to_f32().unwrap(), [0.0, 10.0, 20.0]);
}
