use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use gifthorse_api::catalogue::{Coded, ErrorCode};
use tokio::sync::oneshot;

use super::*;
use crate::answer::Answer;
use crate::datatype::Datatype;
use crate::request::Checked;
use crate::tensor::Tensor;

type Receiver = oneshot::Receiver<Result<Answer, EngineError>>;

fn queue(queue_rows: usize, max_batch_rows: usize, max_delay: Duration) -> Queue {
    Queue::new("m".to_owned(), Limits { queue_rows, max_batch_rows, max_delay, batching: true }, 1)
}

fn request(rows: usize, width: u64) -> (Waiting, Receiver) {
    let (reply, receiver) = oneshot::channel();
    let shape = vec![rows as u64, width];
    let data = Bytes::from(vec![0; rows * width as usize]);
    let inputs = vec![Tensor { datatype: Datatype::Uint8, shape, data }];
    let checked = Checked { inputs, wanted: Vec::new(), rows };
    (Waiting { checked, deadline: None, arrived: Instant::now(), reply }, receiver)
}

fn push(queue: &Queue, rows: usize) -> Receiver {
    let (waiting, receiver) = request(rows, 1);
    queue.push(waiting).unwrap();
    receiver
}

fn take(queue: &Queue) -> Taken {
    let mut taken = Taken::default();
    assert!(queue.take(&mut taken));
    taken
}

fn rows(taken: &Taken) -> Vec<usize> {
    taken.batch.iter().map(|waiting| waiting.checked.rows).collect()
}

#[test]
fn a_batch_is_counted_in_rows() {
    let queue = queue(100, 8, Duration::ZERO);
    let _receivers = [3, 4, 2, 6, 20, 1].map(|rows| push(&queue, rows));
    assert_eq!(queue.rows(), 36);
    // 3 + 4 leave no room for 2; 20 is larger than any batch and goes alone.
    for expected in [&[3, 4][..], &[2, 6], &[20], &[1]] {
        assert_eq!(rows(&take(&queue)), expected);
    }
    assert_eq!(queue.rows(), 0);
}

#[test]
fn only_rows_of_one_shape_share_a_batch() {
    let queue = queue(100, 8, Duration::ZERO);
    let mut receivers = Vec::new();
    for width in [5, 5, 7, 5] {
        let (waiting, receiver) = request(1, width);
        queue.push(waiting).unwrap();
        receivers.push(receiver);
    }
    assert_eq!(rows(&take(&queue)), [1, 1]);
    assert_eq!(take(&queue).batch[0].checked.inputs[0].shape, [1, 7]);
    assert_eq!(take(&queue).batch[0].checked.inputs[0].shape, [1, 5]);
}

#[test]
fn without_batching_each_request_is_a_batch() {
    let limits = Limits { queue_rows: 100, max_batch_rows: 8, max_delay: Duration::ZERO, batching: false };
    let queue = Queue::new("m".to_owned(), limits, 1);
    let _receivers = [push(&queue, 1), push(&queue, 1)];
    assert_eq!(rows(&take(&queue)), [1]);
    assert_eq!(rows(&take(&queue)), [1]);
}

#[test]
fn a_full_queue_refuses_and_says_when_to_retry() {
    let queue = queue(10, 4, Duration::ZERO);
    queue.note_time_per_row(Duration::from_millis(5));
    let _receivers = [push(&queue, 6), push(&queue, 3)];
    let error = queue.push(request(2, 1).0).unwrap_err();
    assert_eq!(error.code(), ErrorCode::QueueFull);
    assert_eq!(error.retry_after(), Some(Duration::from_millis(45)));
    let _fits = push(&queue, 1);

    let error = queue.push(request(11, 1).0).unwrap_err();
    assert_eq!(error.code(), ErrorCode::TooLarge);
}

#[test]
fn callers_who_left_make_room() {
    let queue = queue(3, 4, Duration::ZERO);
    let _stays = push(&queue, 1);
    drop(push(&queue, 2));
    let _new = push(&queue, 2);
    let taken = take(&queue);
    assert_eq!(rows(&taken), [1, 2]);
    assert_eq!(taken.lapsed.len(), 1);
    assert_eq!(taken.lapsed[0].1, EngineError::Cancelled);
}

#[test]
fn lapsed_requests_are_not_in_the_batch() {
    let queue = queue(100, 8, Duration::ZERO);
    drop(push(&queue, 1));
    let _good = push(&queue, 2);
    let (mut late, _receiver) = request(3, 1);
    late.deadline = Some(Instant::now());
    queue.push(late).unwrap();
    let taken = take(&queue);
    assert_eq!(rows(&taken), [2]);
    let codes = taken.lapsed.iter().map(|(_, error)| error.code());
    assert_eq!(codes.collect::<Vec<_>>(), [ErrorCode::Cancelled, ErrorCode::DeadlineExceeded]);
}

#[test]
fn a_delay_waits_for_a_full_batch() {
    let queue = Arc::new(queue(100, 4, Duration::from_hours(1)));
    let _first = push(&queue, 1);
    let owner = thread::spawn({
        let queue = Arc::clone(&queue);
        move || rows(&take(&queue))
    });
    let _others = [push(&queue, 2), push(&queue, 1)];
    assert_eq!(owner.join().unwrap(), [1, 2, 1]);
}

#[test]
fn a_delay_ends() {
    let queue = queue(100, 4, Duration::from_millis(1));
    let _receiver = push(&queue, 1);
    assert_eq!(rows(&take(&queue)), [1]);
}

#[test]
fn a_closed_queue_is_emptied_without_delay_and_takes_no_more() {
    let queue = queue(100, 4, Duration::from_hours(1));
    let _receiver = push(&queue, 1);
    queue.close();
    assert_eq!(queue.push(request(1, 1).0).unwrap_err().code(), ErrorCode::ModelNotReady);
    assert_eq!(rows(&take(&queue)), [1]);
    assert!(!queue.take(&mut Taken::default()));
}

#[test]
fn a_sleeping_owner_is_woken() {
    let queue = Arc::new(queue(100, 4, Duration::ZERO));
    for _ in 0..200 {
        let owner = thread::spawn({
            let queue = Arc::clone(&queue);
            move || rows(&take(&queue))
        });
        let _receiver = push(&queue, 1);
        assert_eq!(owner.join().unwrap(), [1]);
    }
}

#[test]
fn the_end_of_the_last_owner_drops_what_waits() {
    let queue = queue(100, 4, Duration::ZERO);
    let receiver = push(&queue, 1);
    queue.owner_ended();
    assert!(receiver.blocking_recv().is_err());
    assert_eq!(queue.push(request(1, 1).0).unwrap_err().code(), ErrorCode::ModelNotReady);
}
