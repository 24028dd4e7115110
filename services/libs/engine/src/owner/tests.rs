//! Owner threads with a network that runs only when the test lets it, so that no test depends on time.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::datatype::Datatype;
use crate::error::EngineError;
use crate::model::Model;
use crate::network::{InputBlock, Network, OutputBuffer};
use crate::opening::{Facts, Opened, Opening};
use crate::options::{ModelOptions, Provider};
use crate::request::InferRequest;
use crate::signature::Signature;
use crate::statistics::ModelStatistics;
use crate::tensor::{NamedTensor, Tensor, TensorSpec};

/// Doubles every number. Says how many rows it is given, then waits to be let through.
struct GatedDouble {
    entered: mpsc::Sender<u64>,
    permits: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Network for GatedDouble {
    fn run(&mut self, inputs: &[InputBlock<'_>], outputs: &mut [OutputBuffer]) -> Result<Duration, String> {
        let input = inputs[0];
        self.entered.send(input.shape[0]).unwrap();
        self.permits.lock().unwrap().recv().unwrap();
        let values: &[f32] = bytemuck::cast_slice(input.bytes);
        if values.contains(&-1.0) {
            return Err("minus one".to_owned());
        }
        assert!(!values.contains(&-2.0), "minus two is a bug in the network");
        let doubled: Vec<f32> = values.iter().map(|value| value * 2.0).collect();
        outputs[0].shape = input.shape.to_vec();
        outputs[0].data.extend_from_slice(bytemuck::cast_slice(&doubled));
        Ok(Duration::from_nanos(100))
    }
}

/// A model over [`GatedDouble`] and the test's hand on the gate.
struct Rig {
    model: Model,
    entered: mpsc::Receiver<u64>,
    permits: mpsc::Sender<()>,
}

fn signature() -> Signature {
    let spec = |name: &str| TensorSpec {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![None, Some(2)],
    };
    Signature {
        model: "double".to_owned(),
        inputs: vec![spec("x")],
        outputs: vec![spec("y")],
        batching: true,
    }
}

impl Rig {
    async fn new(options: ModelOptions) -> Self {
        let (tell_entered, entered) = mpsc::channel();
        let (permits, permitted) = mpsc::channel();
        let permitted = Arc::new(Mutex::new(permitted));
        let open = move || {
            let network = GatedDouble { entered: tell_entered.clone(), permits: Arc::clone(&permitted) };
            let provider = Provider::Cpu { instead_of_cuda: None };
            Ok(Opened { network: Box::new(network), facts: Facts { signature: signature(), provider } })
        };
        let model = Opening::start(options, open).unwrap().finish().await.unwrap();
        Self { model, entered, permits }
    }

    async fn small() -> Self {
        let rows = |count| NonZeroUsize::new(count).unwrap();
        let options = ModelOptions::new("double");
        Self::new(ModelOptions { max_batch_rows: rows(4), queue_rows: rows(8), ..options }).await
    }

    fn statistics(&self) -> ModelStatistics {
        self.model.statistics()
    }

    /// Puts the owner thread inside a run of one row, where it stays until the next permit.
    fn occupy(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<f32>, EngineError>> + '_>> {
        let mut busy = Box::pin(infer(&self.model, &[0.0]));
        poll_once(&mut busy);
        assert_eq!(self.entered.recv(), Ok(1));
        busy
    }

    fn permit(&self, runs: usize) {
        for _ in 0..runs {
            self.permits.send(()).unwrap();
        }
    }

    fn entered_rows(&self) -> Vec<u64> {
        self.entered.try_iter().collect()
    }
}

/// One row for each value: `[value, 100 + value]`.
fn request(values: &[f32]) -> InferRequest {
    let numbers = values.iter().flat_map(|value| [*value, 100.0 + *value]).collect();
    let tensor = Tensor::from_f32(vec![values.len() as u64, 2], numbers);
    InferRequest::new(vec![NamedTensor { name: "x".to_owned(), tensor }])
}

/// The first number of each row of the answer.
fn first_column(answer: &[NamedTensor]) -> Vec<f32> {
    let numbers = answer[0].tensor.to_f32().unwrap();
    numbers.chunks(2).map(|row| row[0]).collect()
}

async fn infer(model: &Model, values: &[f32]) -> Result<Vec<f32>, EngineError> {
    model.infer(request(values)).await.map(|answer| first_column(&answer))
}

/// Lets a future reach its first wait, which for `infer` is behind the queue.
fn poll_once<Output>(future: &mut (impl Future<Output = Output> + Unpin)) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::Pin::new(future).poll(&mut context).is_pending());
}

#[tokio::test]
async fn what_waits_while_the_session_is_busy_is_one_batch() {
    let rig = Rig::small().await;
    let busy = rig.occupy();
    let [one, two, last] = [&[1.0][..], &[2.0, 3.0], &[4.0, 5.0]];
    let mut waiting = [one, two, last].map(|values| Box::pin(infer(&rig.model, values)));
    waiting.iter_mut().for_each(poll_once);
    assert_eq!(rig.model.waiting_rows(), 5);
    rig.permit(3);
    assert_eq!(busy.await.unwrap(), [0.0]);
    let answers: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [vec![2.0], vec![4.0, 6.0], vec![8.0, 10.0]]);
    // One and two rows fit into four, two more do not.
    assert_eq!(rig.entered_rows(), [3, 2]);
}

#[tokio::test]
async fn statistics_add_up() {
    let rig = Rig::small().await;
    let busy = rig.occupy();
    let mut good = Box::pin(infer(&rig.model, &[1.0, 2.0]));
    let mut gone = Box::pin(infer(&rig.model, &[3.0]));
    let mut late =
        Box::pin(rig.model.infer(InferRequest { deadline: Some(Instant::now()), ..request(&[4.0]) }));
    poll_once(&mut good);
    poll_once(&mut gone);
    poll_once(&mut late);
    drop(gone);
    // The two that lapsed make room, but not enough for seven beside two.
    let full = infer(&rig.model, &[0.0; 7]).await.unwrap_err();
    assert_eq!(full.code(), ErrorCode::QueueFull);
    let mut wrong = request(&[1.0]);
    wrong.inputs[0].name = "z".to_owned();
    assert_eq!(rig.model.infer(wrong).await.unwrap_err().code(), ErrorCode::UnknownTensor);
    rig.permit(2);
    busy.await.unwrap();
    good.await.unwrap();
    assert_eq!(late.await.unwrap_err().code(), ErrorCode::DeadlineExceeded);
    // Everything else has ended when the owner is idle again, which unloading makes certain.
    rig.model.unload().await;

    let statistics = rig.statistics();
    assert_eq!(rig.entered_rows(), [2], "neither the late nor the abandoned request is run");
    assert_eq!((statistics.rows, statistics.executions), (3, 2));
    assert_eq!((statistics.success.count, statistics.cancelled, statistics.expired), (2, 1, 1));
    assert_eq!(statistics.failure.count, 2);
    let kinds = [(ErrorCode::QueueFull, 1), (ErrorCode::UnknownTensor, 1)];
    assert_eq!(statistics.failures, kinds.into_iter().collect());
    for timing in
        [statistics.queue, statistics.compute_input, statistics.compute_infer, statistics.compute_output]
    {
        assert_eq!(timing.count, 2);
    }
    assert_eq!(statistics.compute_infer.ns, 200);
    assert!(statistics.success.ns >= statistics.queue.ns + statistics.compute_infer.ns);
    let sizes = statistics.batches.iter().map(|(rows, batch)| (*rows, batch.compute_infer.count));
    assert_eq!(sizes.collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    assert!(statistics.last_inference.is_some());
}

#[tokio::test]
async fn a_large_request_is_run_in_parts_and_rejoined() {
    let rig = Rig::new(ModelOptions {
        max_batch_rows: NonZeroUsize::new(4).unwrap(),
        ..ModelOptions::new("double")
    })
    .await;
    rig.permit(3);
    let values: Vec<f32> = (0..10_u8).map(f32::from).collect();
    let doubled: Vec<f32> = values.iter().map(|value| value * 2.0).collect();
    assert_eq!(infer(&rig.model, &values).await.unwrap(), doubled);
    assert_eq!(rig.entered_rows(), [4, 4, 2]);
    let statistics = rig.statistics();
    assert_eq!((statistics.success.count, statistics.rows, statistics.executions), (1, 10, 3));
}

#[tokio::test]
async fn a_large_request_is_given_up_when_its_caller_leaves() {
    let rig = Rig::small().await;
    let mut large = Box::pin(infer(&rig.model, &[1.0; 8]));
    poll_once(&mut large);
    assert_eq!(rig.entered.recv(), Ok(4));
    drop(large);
    rig.permit(1);
    rig.model.unload().await;
    assert_eq!(rig.entered_rows(), [], "the second half is not run");
    let statistics = rig.statistics();
    assert_eq!((statistics.cancelled, statistics.executions, statistics.rows), (1, 1, 0));
}

#[tokio::test]
async fn a_request_that_makes_the_run_fail_fails_alone() {
    let rig = Rig::small().await;
    let busy = rig.occupy();
    let mut waiting = [&[1.0][..], &[-1.0], &[2.0]].map(|values| Box::pin(infer(&rig.model, values)));
    waiting.iter_mut().for_each(poll_once);
    // The busy one, the three together, then each of them alone.
    rig.permit(5);
    busy.await.unwrap();
    let [first, bad, last] = waiting;
    assert_eq!((first.await, last.await), (Ok(vec![2.0]), Ok(vec![4.0])));
    let reason = "minus one".to_owned();
    assert_eq!(bad.await, Err(EngineError::Run { model: "double".to_owned(), reason }));
    assert_eq!(rig.entered_rows(), [3, 1, 1, 1]);
}

#[tokio::test]
async fn a_bad_row_fails_its_own_request_only() {
    let rig = Rig::small().await;
    let busy = rig.occupy();
    let mut waiting =
        [&[1.0][..], &[2.0, f32::NAN], &[3.0]].map(|values| Box::pin(infer(&rig.model, values)));
    waiting.iter_mut().for_each(poll_once);
    rig.permit(2);
    busy.await.unwrap();
    let [first, bad, last] = waiting;
    assert_eq!(first.await, Ok(vec![2.0]));
    assert_eq!(bad.await, Err(EngineError::NotFinite { output: "y".to_owned(), row: 1 }));
    assert_eq!(last.await, Ok(vec![6.0]));
    assert_eq!(rig.entered_rows(), [4]);
    assert_eq!(rig.statistics().failures[&ErrorCode::ModelNotFinite], 1);
}

#[tokio::test]
async fn unloading_drains() {
    let rig = Rig::small().await;
    let busy = rig.occupy();
    let mut queued = Box::pin(infer(&rig.model, &[5.0]));
    poll_once(&mut queued);
    assert!(!rig.model.is_closed());
    let mut unload = Box::pin(rig.model.unload());
    poll_once(&mut unload);
    assert!(rig.model.is_closed(), "from the beginning of unloading on");
    let refused = infer(&rig.model, &[1.0]).await.unwrap_err();
    assert_eq!(refused, EngineError::Unloaded { model: "double".to_owned() });
    rig.permit(2);
    unload.await;
    assert!(rig.model.is_closed());
    assert_eq!((busy.await, queued.await), (Ok(vec![0.0]), Ok(vec![10.0])));
    rig.model.unload().await;
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_threads() {
    let Rig { model, entered, permits } = Rig::small().await;
    let other = model.clone();
    drop(model);
    permits.send(()).unwrap();
    assert_eq!(infer(&other, &[1.0]).await, Ok(vec![2.0]));
    drop(other);
    assert_eq!(entered.recv(), Ok(1));
    assert!(entered.recv().is_err(), "the network must be gone");
}

#[tokio::test]
async fn a_dying_owner_is_noticed_by_everyone_who_waits() {
    let rig = Rig::small().await;
    let mut fatal = Box::pin(infer(&rig.model, &[-2.0]));
    poll_once(&mut fatal);
    assert_eq!(rig.entered.recv(), Ok(1));
    let mut queued = Box::pin(infer(&rig.model, &[1.0]));
    poll_once(&mut queued);
    rig.permit(1);
    let died = EngineError::OwnerDied { model: "double".to_owned() };
    assert_eq!((fatal.await, queued.await), (Err(died.clone()), Err(died)));
    assert_eq!(infer(&rig.model, &[1.0]).await.unwrap_err().code(), ErrorCode::ModelNotReady);
    assert_eq!(rig.statistics().failures[&ErrorCode::EngineFailed], 2);
}

#[tokio::test]
async fn two_instances_run_side_by_side() {
    let rig = Rig::new(ModelOptions {
        instances: NonZeroUsize::new(2).unwrap(),
        max_batch_rows: NonZeroUsize::new(1).unwrap(),
        ..ModelOptions::new("double")
    })
    .await;
    let mut both = [&[1.0][..], &[2.0]].map(|values| Box::pin(infer(&rig.model, values)));
    both.iter_mut().for_each(poll_once);
    assert_eq!([rig.entered.recv(), rig.entered.recv()], [Ok(1), Ok(1)]);
    rig.permit(2);
    let answers = join_all(both).await;
    assert_eq!(answers, [Ok(vec![2.0]), Ok(vec![4.0])]);
    rig.model.unload().await;
}

#[tokio::test]
async fn a_model_is_closed_by_the_death_of_its_last_owner_only() {
    let rig = Rig::new(ModelOptions {
        instances: NonZeroUsize::new(2).unwrap(),
        max_batch_rows: NonZeroUsize::new(1).unwrap(),
        ..ModelOptions::new("double")
    })
    .await;
    let died = EngineError::OwnerDied { model: "double".to_owned() };
    rig.permit(2);
    assert_eq!(infer(&rig.model, &[-2.0]).await, Err(died.clone()));
    assert!(!rig.model.is_closed());
    assert_eq!(infer(&rig.model, &[1.0]).await, Ok(vec![2.0]));
    assert_eq!(rig.entered_rows(), [1, 1]);

    let mut fatal = Box::pin(infer(&rig.model, &[-2.0]));
    poll_once(&mut fatal);
    assert_eq!(rig.entered.recv(), Ok(1));
    // Nobody is left to run this one; that it is dropped tells that the last owner has ended.
    let mut queued = Box::pin(infer(&rig.model, &[1.0]));
    poll_once(&mut queued);
    rig.permit(1);
    assert_eq!((fatal.await, queued.await), (Err(died.clone()), Err(died)));
    assert!(rig.model.is_closed());
}

#[test]
fn a_network_that_cannot_be_opened_is_reported() {
    let reason = EngineError::ModelInvalid { model: "m".to_owned(), reason: "no".to_owned() };
    let open = {
        let reason = reason.clone();
        move || Err(reason.clone())
    };
    let opening = Opening::start(ModelOptions::new("m"), open).unwrap();
    assert_eq!(opening.finish_blocking().unwrap_err(), reason);

    let open = || -> Result<Opened, EngineError> { panic!("a bug while opening") };
    let opening = Opening::start(ModelOptions::new("m"), open).unwrap();
    assert_eq!(opening.finish_blocking().unwrap_err(), EngineError::OwnerDied { model: "m".to_owned() });
}

#[tokio::test]
async fn bytes_on_odd_addresses_are_copied_into_place() {
    let rig = Rig::small().await;
    rig.permit(1);
    let mut shifted = vec![0_u8];
    shifted.extend_from_slice(&request(&[1.5]).inputs[0].tensor.data);
    let data = Bytes::from(shifted).slice(1..);
    let mut odd = request(&[1.5]);
    odd.inputs[0].tensor.data = data;
    assert_eq!(first_column(&rig.model.infer(odd).await.unwrap()), [3.0]);
}
