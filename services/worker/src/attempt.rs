//! One attempt at a job, from its lease to its end.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, PruningJobName};
use gifthorse_api::v1;
use gifthorse_store::{Checkpoints, Store};
use tokio::sync::{mpsc, oneshot};

use crate::desk::{Desk, Note};
use crate::driver::drive;
use crate::engine::{Assignment, Cancelled, EngineFault, Engines, Outcome, Saved};
use crate::error::WorkerError;
use crate::session::Session;
use crate::{files, publish};

/// Notes that may wait to be sent; then the engine waits.
const NOTES: usize = 256;
/// Notes that are sent at once.
const AT_ONCE: usize = 200;

/// How an attempt ended, as the trainer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The job is done.
    Done,
    /// The attempt failed; the trainer knows why.
    Failed { message: String, will_retry: bool },
}

/// Runs the job of a lease to its end and says how it went.
pub(crate) async fn run(
    engines: Box<dyn Engines>,
    session: &Session,
    leased: v1::AcquireLeaseResponse,
    scratch: &Path,
) -> Result<Ended, WorkerError> {
    let job = leased.job.unwrap_or_default();
    let PruningJobName(id) = job.name.parse().map_err(|error| WorkerError::Lease(format!("{error}")))?;
    let store = match Store::open(&leased.store).await {
        Ok(store) => store,
        Err(error) => return fail(session, &EngineFault::of(&error)).await,
    };
    let specification = job.specification.unwrap_or_default();
    let prepared = prepare(&store, &id, specification, leased.checkpoint, scratch).await;
    let (assignment, saved) = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => return fail(session, &fault).await,
    };
    let model = assignment.model.record.model.clone();
    let worked = work(engines, session, assignment, saved, &store, scratch).await?;
    let outcome = match worked {
        Ok(outcome) => outcome,
        Err(fault) => return fail(session, &fault).await,
    };
    // Asked once more: nothing shall be stored for a job that was cancelled meanwhile.
    if session.renew().await? {
        return fail(session, &EngineFault::Cancelled).await;
    }
    let stored = match publish::store(&store, &id, &model, &outcome).await {
        Ok(stored) => stored,
        Err(fault) => return fail(session, &fault).await,
    };
    match session.complete(publish::message(&outcome, &stored)).await {
        Ok(()) => Ok(Ended::Done),
        Err(refused) => {
            // Still ours and yet refused: it was cancelled at the last moment.
            if session.renew().await.is_ok_and(|cancel| cancel) {
                publish::take_back(&store, &id, &stored).await;
                return fail(session, &EngineFault::Cancelled).await;
            }
            Err(refused)
        }
    }
}

async fn fail(session: &Session, fault: &EngineFault) -> Result<Ended, WorkerError> {
    let will_retry = session.fail(fault.message()).await?;
    Ok(Ended::Failed { message: fault.to_string(), will_retry })
}

async fn prepare(
    store: &Store,
    id: &Identifier,
    specification: v1::PruningSpecification,
    checkpoint: Option<v1::Checkpoint>,
    scratch: &Path,
) -> Result<(Assignment, Option<Saved>), EngineFault> {
    let assignment = files::fetch(store, id.clone(), specification, scratch).await?;
    let saved = match checkpoint {
        Some(checkpoint) => files::fetch_checkpoint(&store.artefacts(), id, &checkpoint, scratch).await,
        None => None,
    };
    Ok((assignment, saved))
}

/// Lets the engine work on its thread and passes on what it tells.
async fn work(
    engines: Box<dyn Engines>,
    session: &Session,
    assignment: Assignment,
    saved: Option<Saved>,
    store: &Store,
    scratch: &Path,
) -> Result<Result<Outcome, EngineFault>, WorkerError> {
    let (notes, mut received) = mpsc::channel(NOTES);
    let (end, ended) = oneshot::channel();
    let output = scratch.join("output");
    let (job, checkpoints) = (assignment.job.clone(), store.artefacts());
    let mut desk = Desk::new(notes, Cancelled::new(session.cancelled().clone()), scratch.to_owned());
    let started = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        let worked = std::panic::catch_unwind(AssertUnwindSafe(|| {
            files::make(&output)?;
            let mut engine = engines.open(&assignment)?;
            drive(engine.as_mut(), saved.as_ref(), &output, &mut desk)
        }));
        // Before the outcome: who hears the end shall find no note unread.
        drop(desk);
        let worked = worked.unwrap_or_else(|_| {
            let message = "the engine panicked; the job's log has the place";
            Err(EngineFault::internal(ErrorCode::EngineFailed, message))
        });
        // The other side is gone only with the whole process.
        let _ = end.send(worked);
    });
    if let Err(source) = started {
        return Err(WorkerError::System { action: "start the engine's thread", source });
    }
    let mut waiting = Vec::new();
    while received.recv_many(&mut waiting, AT_ONCE).await > 0 {
        pass_on(session, &checkpoints, &job, waiting.drain(..)).await?;
    }
    let gone = || Err(EngineFault::internal(ErrorCode::EngineFailed, "the engine ended without an outcome"));
    Ok(ended.await.unwrap_or_else(|_| gone()))
}

async fn pass_on(
    session: &Session,
    checkpoints: &Checkpoints,
    job: &Identifier,
    notes: impl Iterator<Item = Note>,
) -> Result<(), WorkerError> {
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    for note in notes {
        match note {
            Note::Event(event, log) => {
                events.push(*event);
                lines.extend(log);
            }
            Note::Checkpoint { stage, done, folder, recorded } => {
                send(session, &mut events, &mut lines).await?;
                let stored = files::store_checkpoint(checkpoints, job, stage, done, &folder).await;
                let answer = match stored {
                    Ok(checkpoint) => {
                        session.record(checkpoint).await?;
                        Ok(())
                    }
                    Err(fault) => Err(fault),
                };
                // The engine waits for it, unless it has panicked.
                let _ = recorded.send(answer);
            }
        }
    }
    send(session, &mut events, &mut lines).await
}

async fn send(
    session: &Session,
    events: &mut Vec<v1::WatchPruningJobResponse>,
    lines: &mut Vec<String>,
) -> Result<(), WorkerError> {
    /// Lines that one report takes.
    const LINES: usize = 500;

    if events.is_empty() && lines.is_empty() {
        return Ok(());
    }
    let mut lines = std::mem::take(lines);
    while lines.len() > LINES {
        let rest = lines.split_off(LINES);
        session.report(Vec::new(), std::mem::replace(&mut lines, rest)).await?;
    }
    session.report(std::mem::take(events), lines).await
}
