//! Bringing a model up: one owner thread an instance, each opening a network of its own.

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};

use crate::error::EngineError;
use crate::executor::Executor;
use crate::model::Model;
use crate::network::Network;
use crate::options::{ModelOptions, Provider};
use crate::owner::{Shared, serve};
use crate::queue::{Limits, Queue};
use crate::signature::Signature;
use crate::statistics::Ledger;

/// A network ready to run, and what is known about it.
pub(crate) struct Opened {
    pub(crate) network: Box<dyn Network>,
    pub(crate) facts: Facts,
}

/// What is known about an opened network.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) signature: Signature,
    pub(crate) provider: Provider,
}

type OpenedFacts = Result<Facts, EngineError>;

/// Owner threads that are opening their networks.
///
/// Dropping this instead of finishing it lets the threads end as soon as they have opened.
pub(crate) struct Opening {
    options: ModelOptions,
    opened: Vec<oneshot::Receiver<OpenedFacts>>,
    owners: Vec<Owner>,
}

struct Owner {
    begin: mpsc::Sender<(Arc<Shared>, Presence)>,
    thread: JoinHandle<()>,
}

/// Tells the others when an owner thread ends, however it ends.
struct Presence {
    shared: Arc<Shared>,
    running: Arc<watch::Sender<usize>>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.shared.queue.owner_ended();
        self.running.send_modify(|running| *running -= 1);
    }
}

impl Opening {
    /// Starts `options.instances` threads, each of which calls `open` and keeps its network for itself.
    pub(crate) fn start<Open>(options: ModelOptions, open: Open) -> Result<Self, EngineError>
    where
        Open: Fn() -> Result<Opened, EngineError> + Clone + Send + 'static,
    {
        let mut opened = Vec::with_capacity(options.instances.get());
        let mut owners = Vec::with_capacity(options.instances.get());
        for instance in 0..options.instances.get() {
            let (tell, told) = oneshot::channel();
            let (begin, start) = mpsc::channel();
            let open = open.clone();
            let max_batch_rows = options.max_batch_rows.get();
            let thread = thread::Builder::new()
                .name(format!("infer-{instance}-{}", options.name))
                .spawn(move || own(open, max_batch_rows, tell, &start))
                .map_err(|error| EngineError::Thread {
                    model: options.name.clone(),
                    reason: error.to_string(),
                })?;
            opened.push(told);
            owners.push(Owner { begin, thread });
        }
        Ok(Self { options, opened, owners })
    }

    /// Waits until all instances are open; fails if one does.
    pub(crate) async fn finish(mut self) -> Result<Model, EngineError> {
        let mut results = Vec::with_capacity(self.opened.len());
        for opened in self.opened.drain(..) {
            results.push(opened.await);
        }
        self.begin(results)
    }

    /// As [`Opening::finish`], outside an async runtime.
    pub(crate) fn finish_blocking(mut self) -> Result<Model, EngineError> {
        let results = self.opened.drain(..).map(oneshot::Receiver::blocking_recv).collect();
        self.begin(results)
    }

    fn begin(
        self,
        results: Vec<Result<OpenedFacts, oneshot::error::RecvError>>,
    ) -> Result<Model, EngineError> {
        let died = || EngineError::OwnerDied { model: self.options.name.clone() };
        let facts = results.into_iter().map(|result| result.unwrap_or_else(|_died| Err(died())));
        // All instances open the same bytes in the same way, so the last one's facts are everyone's.
        match facts.collect::<Result<Vec<_>, _>>().and_then(|mut facts| facts.pop().ok_or_else(died)) {
            Ok(facts) => Ok(self.run(facts)),
            Err(error) => {
                for Owner { begin, thread } in self.owners {
                    drop(begin);
                    // It has nothing left to do, and if it panicked the error tells.
                    drop(thread.join());
                }
                Err(error)
            }
        }
    }

    fn run(self, facts: Facts) -> Model {
        let Self { options, owners, .. } = self;
        let max_batch_rows = options.max_batch_rows.get();
        let limits = Limits {
            queue_rows: options.queue_rows.get(),
            max_batch_rows,
            max_delay: options.max_delay,
            batching: facts.signature.batching,
        };
        let shared = Arc::new(Shared {
            queue: Queue::new(options.name, limits, owners.len()),
            signature: Arc::new(facts.signature),
            ledger: Ledger::default(),
        });
        let (sender, running) = watch::channel(owners.len());
        let sender = Arc::new(sender);
        let threads = owners.into_iter().map(|Owner { begin, thread }| {
            let presence = Presence { shared: Arc::clone(&shared), running: Arc::clone(&sender) };
            // Should the thread be gone, its presence ends with the message that nobody received.
            drop(begin.send((Arc::clone(&shared), presence)));
            thread
        });
        let threads = threads.collect();
        Model::new(shared, facts.provider, max_batch_rows, running, threads)
    }
}

/// What an owner thread does from its start to its end.
fn own<Open>(
    open: Open,
    max_batch_rows: usize,
    tell: oneshot::Sender<OpenedFacts>,
    start: &mpsc::Receiver<(Arc<Shared>, Presence)>,
) where
    Open: Fn() -> Result<Opened, EngineError>,
{
    let (network, facts) = match open() {
        Ok(Opened { network, facts }) => (network, Ok(facts)),
        Err(error) => {
            drop(tell.send(Err(error)));
            return;
        }
    };
    // The bytes of the file are not needed any more.
    drop(open);
    if tell.send(facts).is_err() {
        return;
    }
    let Ok((shared, presence)) = start.recv() else { return };
    // The executor goes with the loop, so that the session is released before the thread counts as ended.
    serve(Executor::new(network, Arc::clone(&shared.signature), max_batch_rows), &shared);
    drop(presence);
}
