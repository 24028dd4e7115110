//! Long work of one request: it tells how far it is, and ends when nobody listens.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use std::sync::Arc;

use gifthorse_api::status::status_of;
use gifthorse_api::v1;
use gifthorse_service::Tasks;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::error::DetectorError;

/// How often progress is told.
const TICK: Duration = Duration::from_millis(250);
/// Messages that may wait for a slow reader.
const WINDOW: usize = 4;

/// How far a piece of work is.
#[derive(Debug)]
pub(crate) struct Meter {
    stage: Mutex<Stage>,
    done: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Stage {
    name: &'static str,
    total: usize,
    unit: &'static str,
    since: Instant,
}

impl Default for Meter {
    fn default() -> Self {
        let stage = Stage { name: "waiting", total: 0, unit: "", since: Instant::now() };
        Self { stage: Mutex::new(stage), done: AtomicUsize::new(0) }
    }
}

impl Meter {
    /// Begins a stage of so many units.
    pub(crate) fn stage(&self, name: &'static str, total: usize, unit: &'static str) {
        self.done.store(0, Ordering::Relaxed);
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) =
            Stage { name, total, unit, since: Instant::now() };
    }

    /// One unit more is done.
    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn progress(&self) -> v1::Progress {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let done = self.done.load(Ordering::Relaxed);
        let seconds = stage.since.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
        let left = stage.total.saturating_sub(done) as f64;
        v1::Progress {
            stage: stage.name.to_owned(),
            done: done as i64,
            total: stage.total as i64,
            unit: stage.unit.to_owned(),
            rate,
            seconds_left: if rate > 0.0 { left / rate } else { 0.0 },
        }
    }
}

/// Starts `work` as a task and gives the stream of its messages: progress, and the outcome as the last one.
/// The token given to `work` is cancelled when the stream is dropped.
pub(crate) fn start<T, M, F>(
    tasks: &Tasks,
    name: &'static str,
    of_progress: fn(v1::Progress) -> M,
    of_outcome: fn(T) -> M,
    work: impl FnOnce(Arc<Meter>, CancellationToken) -> F,
) -> ReceiverStream<Result<M, Status>>
where
    T: Send + 'static,
    M: Send + 'static,
    F: Future<Output = Result<T, DetectorError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WINDOW);
    let (meter, gone) = (Arc::new(Meter::default()), CancellationToken::new());
    let outcome = work(Arc::clone(&meter), gone.clone());
    let stop = tasks.stop().clone();
    // The task is owned by the service's list of tasks; nobody awaits its value.
    drop(tasks.start(name, async move {
        let _cancelled_at_the_end = gone.clone().drop_guard();
        let mut outcome = std::pin::pin!(outcome);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                biased;
                outcome = &mut outcome => {
                    let message = outcome.map(of_outcome).map_err(|error| status_of(&error));
                    // A reader that has gone needs no answer.
                    let _ = sender.send(message).await;
                    return;
                }
                () = sender.closed() => gone.cancel(),
                () = stop.cancelled() => gone.cancel(),
                _ = ticks.tick() => {
                    // A reader that is behind gets the next one.
                    let _ = sender.try_send(Ok(of_progress(meter.progress())));
                }
            }
            if gone.is_cancelled() {
                // The work notices at its next batch and ends; it is waited for so that nothing is left running.
                let ended = outcome.await.map(of_outcome).map_err(|error| status_of(&error));
                let _ = sender.try_send(ended);
                return;
            }
        }
    }));
    ReceiverStream::new(receiver)
}

/// Runs `work` on the numbers below `count` with a few threads, and gives the results in order. The first
/// error ends the others.
///
/// Runs of a network from several threads share batches, and while one waits for the network the others
/// prepare.
pub(crate) fn in_parallel<T: Send, E: Send>(
    workers: usize,
    count: usize,
    meter: &Meter,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Mutex<Vec<(usize, Result<T, E>)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for worker in 0..workers.min(count) {
            let run = || {
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let result = work(index);
                    if result.is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                    meter.step();
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            };
            let named = std::thread::Builder::new().name(format!("measure-{worker}"));
            if named.spawn_scoped(scope, run).is_err() {
                // Without another thread this one does the work.
                run();
            }
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_ends_the_work() {
        let meter = Meter::default();
        meter.stage("square", 100, "numbers");
        let squares: Result<Vec<usize>, ()> = in_parallel(3, 100, &meter, |number| Ok(number * number));
        assert_eq!(squares.unwrap(), (0..100).map(|number| number * number).collect::<Vec<_>>());
        assert_eq!(meter.progress().done, 100);
        let refused: Result<Vec<usize>, usize> =
            in_parallel(2, 1_000_000, &meter, |number| if number < 5 { Ok(number) } else { Err(number) });
        assert!(refused.unwrap_err() >= 5);
    }
}
