//! Keeps a fixed number of requests under way.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tonic::Code;

use crate::LoadError;
use crate::memory::{MemoryPoint, resident_kib};
use crate::options::{Options, seconds};
use crate::outcome::Outcome;
use crate::target::{Client, Target};

/// When a phase ends.
#[derive(Debug, Clone, Copy)]
enum End {
    After(Duration),
    Requests(u64),
}

/// What all requests of a phase share; one thread, so a plain cell does.
#[derive(Debug)]
struct Phase<'a> {
    options: &'a Options,
    end: End,
    start: Instant,
    counts: RefCell<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    latencies: Vec<Duration>,
    refusals: Vec<Code>,
    memory: Vec<MemoryPoint>,
}

/// Warms up and measures.
pub(crate) async fn drive(target: &Target, options: &Options) -> Result<Outcome, LoadError> {
    let warm_up = Phase::new(options, End::After(seconds("--warm-up", options.warm_up)?));
    warm_up.run(target).await;
    let end = match options.requests {
        Some(requests) => End::Requests(requests),
        None => End::After(seconds("--seconds", options.seconds)?),
    };
    let measured = Phase::new(options, end);
    measured.look_at_memory(0)?;
    let start = Instant::now();
    measured.run(target).await;
    let elapsed = start.elapsed();
    let counts = measured.counts.into_inner();
    Ok(Outcome::new(counts.latencies, &counts.refusals, target.rows, elapsed, counts.memory))
}

impl<'a> Phase<'a> {
    fn new(options: &'a Options, end: End) -> Self {
        Self { options, end, start: Instant::now(), counts: RefCell::default() }
    }

    async fn run(&self, target: &Target) {
        let callers = (0..self.options.concurrency.get()).map(|caller| {
            let client = target.clients[caller % target.clients.len()].clone();
            self.call_until_end(client, target)
        });
        join_all(callers).await;
    }

    async fn call_until_end(&self, mut client: Client, target: &Target) {
        while self.take_turn() {
            let start = Instant::now();
            let answer = client.model_infer(target.request.clone()).await;
            let latency = start.elapsed();
            let code = match answer {
                // An answer without content would make any server look fast.
                Ok(answer) if answer.get_ref().outputs.is_empty() => Code::DataLoss,
                Ok(_) => Code::Ok,
                Err(status) => status.code(),
            };
            self.record(latency, code);
        }
    }

    fn take_turn(&self) -> bool {
        let mut counts = self.counts.borrow_mut();
        let go_on = match self.end {
            End::After(duration) => self.start.elapsed() < duration,
            End::Requests(requests) => counts.sent < requests,
        };
        counts.sent += u64::from(go_on);
        go_on
    }

    fn record(&self, latency: Duration, code: Code) {
        let answered = {
            let mut counts = self.counts.borrow_mut();
            if code == Code::Ok {
                counts.latencies.push(latency);
            } else {
                counts.refusals.push(code);
            }
            (counts.latencies.len() + counts.refusals.len()) as u64
        };
        if answered.is_multiple_of(self.options.watch_every.get()) {
            // A server that is gone shows in the refusals; its memory is then simply no longer reported.
            let _ = self.look_at_memory(answered);
        }
    }

    fn look_at_memory(&self, requests: u64) -> Result<(), LoadError> {
        let Some(process) = self.options.watch_pid else { return Ok(()) };
        let resident_kib = resident_kib(process)?;
        self.counts.borrow_mut().memory.push(MemoryPoint { requests, resident_kib });
        Ok(())
    }
}
