//! Keeps a fixed number of requests under way.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tonic::Code;
use tonic::transport::Channel;

use crate::LoadError;
use crate::call::Answered;
use crate::memory::{MemoryPoint, resident_kib};
use crate::options::{Options, seconds};
use crate::outcome::Outcome;
use crate::scans::{Scan, Scans};
use crate::target::Target;

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
    scans: Vec<Scan>,
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
    let scans = Scans::of(&counts.scans);
    Ok(Outcome::new(counts.latencies, &counts.refusals, target.rows, elapsed, counts.memory).with(scans))
}

impl<'a> Phase<'a> {
    fn new(options: &'a Options, end: End) -> Self {
        Self { options, end, start: Instant::now(), counts: RefCell::default() }
    }

    async fn run(&self, target: &Target) {
        let callers = (0..self.options.concurrency.get()).map(|caller| {
            let channel = &target.channels[caller % target.channels.len()];
            self.call_until_end(channel, target)
        });
        join_all(callers).await;
    }

    async fn call_until_end(&self, channel: &Channel, target: &Target) {
        while let Some(turn) = self.take_turn() {
            let start = Instant::now();
            let answered = target.call.make(channel, turn).await;
            self.record(start.elapsed(), &answered);
        }
    }

    /// The number of the next request, from 0; none at the end.
    fn take_turn(&self) -> Option<u64> {
        let mut counts = self.counts.borrow_mut();
        let go_on = match self.end {
            End::After(duration) => self.start.elapsed() < duration,
            End::Requests(requests) => counts.sent < requests,
        };
        let turn = counts.sent;
        counts.sent += u64::from(go_on);
        go_on.then_some(turn)
    }

    fn record(&self, latency: Duration, answered: &Answered) {
        let count = {
            let mut counts = self.counts.borrow_mut();
            if answered.code == Code::Ok {
                counts.latencies.push(latency);
            } else {
                counts.refusals.push(answered.code);
            }
            counts.scans.extend(answered.scan);
            (counts.latencies.len() + counts.refusals.len()) as u64
        };
        if count.is_multiple_of(self.options.watch_every.get()) {
            // A server that is gone shows in the refusals; its memory is then simply no longer reported.
            let _ = self.look_at_memory(count);
        }
    }

    fn look_at_memory(&self, requests: u64) -> Result<(), LoadError> {
        let Some(process) = self.options.watch_pid else { return Ok(()) };
        let resident_kib = resident_kib(process)?;
        self.counts.borrow_mut().memory.push(MemoryPoint { requests, resident_kib });
        Ok(())
    }
}
