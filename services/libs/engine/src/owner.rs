//! The loop of an owner thread: take a batch, run it, answer.

use std::sync::Arc;
use std::time::Instant;

use gifthorse_api::catalogue::Coded;

use crate::answer::{Answer, OutputBlock};
use crate::error::EngineError;
use crate::executor::Executor;
use crate::queue::{Queue, Taken};
use crate::request::Waiting;
use crate::signature::Signature;
use crate::statistics::{Execution, Ledger, Outcome};

/// What the handles of a model and its owner threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) signature: Arc<Signature>,
    pub(crate) queue: Queue,
    pub(crate) ledger: Ledger,
}

/// Serves the queue until it is closed and empty.
pub(crate) fn serve(mut executor: Executor, shared: &Shared) {
    let mut taken = Taken::default();
    let mut executions = Vec::new();
    while shared.queue.take(&mut taken) {
        let lapsed = taken.lapsed.drain(..).map(|(request, error)| (request, Err(error)));
        reply(shared, &[], Instant::now(), lapsed.collect());
        if !taken.batch.is_empty() {
            run(&mut executor, shared, &mut taken.batch, &mut executions);
        }
    }
}

fn run(executor: &mut Executor, shared: &Shared, batch: &mut Vec<Waiting>, executions: &mut Vec<Execution>) {
    let started = Instant::now();
    executions.clear();
    match executor.execute(batch, executions) {
        Ok(outputs) => {
            let rows: usize = executions.iter().map(|execution| execution.rows).sum();
            let answers = share_out(&shared.signature, &outputs, batch.drain(..));
            reply(shared, executions, started, answers);
            shared
                .queue
                .note_time_per_row(started.elapsed() / u32::try_from(rows).unwrap_or(u32::MAX).max(1));
        }
        // One request's data can make the whole run fail (an index out of range, say): its batch mates are
        // innocent and get a run of their own.
        Err(_) if batch.len() > 1 => {
            for request in std::mem::take(batch) {
                run(executor, shared, &mut vec![request], executions);
            }
        }
        Err(error) => {
            let failed = batch.drain(..).map(|request| (request, Err(error.clone())));
            reply(shared, executions, started, failed.collect());
        }
    }
}

/// Gives each request its rows of the batch's outputs.
fn share_out(
    signature: &Signature,
    outputs: &Arc<[OutputBlock]>,
    batch: impl Iterator<Item = Waiting>,
) -> Vec<(Waiting, Result<Answer, EngineError>)> {
    let mut first_row = 0;
    let answers = batch.map(|request| {
        let rows = first_row..first_row + request.checked.rows;
        first_row = rows.end;
        let answer = Answer::take(outputs, &request, signature.batching.then_some(rows), signature);
        (request, answer)
    });
    answers.collect()
}

/// Counts how the requests ended, then tells their callers: a caller with an answer is in the statistics.
fn reply(
    shared: &Shared,
    executions: &[Execution],
    started: Instant,
    answers: Vec<(Waiting, Result<Answer, EngineError>)>,
) {
    if answers.is_empty() {
        return;
    }
    let now = Instant::now();
    let outcomes = answers.iter().map(|(request, answer)| {
        let took = now.saturating_duration_since(request.arrived);
        match answer {
            Ok(_) => {
                let waited = started.saturating_duration_since(request.arrived);
                Outcome::Success { rows: request.checked.rows, waited, took }
            }
            Err(error) => Outcome::Failure { code: error.code(), took },
        }
    });
    shared.ledger.record(executions, outcomes);
    for (request, answer) in answers {
        // A caller that has just gone away does not want to know.
        drop(request.reply.send(answer));
    }
}

#[cfg(test)]
mod tests;
