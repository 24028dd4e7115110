//! Stopping: who asks for it, who is told when, and the second signal.
//!
//! The order, kept by [`server`](crate::server) and [`main_support`](crate::main_support), each step bounded:
//! not ready -> wait `notice` -> stop accepting and tell long streams to end -> requests in flight end, or
//! are cut after `grace` -> background tasks end, or are aborted -> telemetry is flushed -> exit.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix;
use tokio_util::sync::CancellationToken;

/// Why the service stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The process was told to.
    Signal(Signal),
    /// A task that the service cannot do without failed.
    TaskFailed {
        /// The name of the task.
        task: &'static str,
    },
    /// The program itself decided.
    Requested,
}

/// The signals that stop a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, Kubernetes, systemd.
    Terminate,
}

impl Signal {
    /// The customary exit code of a process that this signal ended: 128 + its number.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 128 + 2,
            Self::Terminate => 128 + 15,
        }
    }
}

/// The handle through which stopping is asked for and watched. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    ending: CancellationToken,
    forced: CancellationToken,
    record: Arc<Mutex<Record>>,
}

#[derive(Debug, Default)]
struct Record {
    reason: Option<Reason>,
    first_signal: Option<Signal>,
    second_signal: Option<Signal>,
}

impl Shutdown {
    /// A shutdown nobody has asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the service to stop; only the first reason is kept.
    pub fn request(&self, reason: Reason) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.reason.get_or_insert(reason);
        drop(record);
        self.requested.cancel();
    }

    /// Takes a signal: the first one asks the service to stop, the second one ends it at once.
    pub fn signal(&self, signal: Signal) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.first_signal.is_some() {
            record.second_signal.get_or_insert(signal);
            drop(record);
            self.forced.cancel();
        } else {
            record.first_signal = Some(signal);
            drop(record);
            self.request(Reason::Signal(signal));
        }
    }

    /// Why the service stops, once it was asked to.
    pub fn reason(&self) -> Option<Reason> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).reason.clone()
    }

    /// The second signal, once it came.
    pub fn second_signal(&self) -> Option<Signal> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).second_signal
    }

    /// Resolves when the service was asked to stop. Requests are still served: stop taking up new work of
    /// long duration (jobs), go on with the rest.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Cancelled when no more requests are accepted: a long stream watches this and ends itself with
    /// `UNAVAILABLE` (code `DRAINING`), or it is cut when the grace is over.
    pub fn ending(&self) -> &CancellationToken {
        &self.ending
    }

    /// Resolves at the second signal.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }

    /// Tells long streams to end.
    pub(crate) fn end_streams(&self) {
        self.ending.cancel();
    }
}

/// The process's SIGINT and SIGTERM, taken over from the moment this exists.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupts: unix::Signal,
    terminations: unix::Signal,
}

impl Signals {
    /// Takes the signals over. Done before anything is announced: a signal that comes earlier kills the
    /// process, which then has nothing to lose.
    pub(crate) fn take() -> std::io::Result<Self> {
        Ok(Self {
            interrupts: unix::signal(unix::SignalKind::interrupt())?,
            terminations: unix::signal(unix::SignalKind::terminate())?,
        })
    }

    /// Feeds the signals into `shutdown`, for as long as it is polled.
    pub(crate) async fn feed(mut self, shutdown: Shutdown) {
        loop {
            let taken = tokio::select! {
                Some(()) = self.interrupts.recv() => Signal::Interrupt,
                Some(()) = self.terminations.recv() => Signal::Terminate,
                else => return,
            };
            tracing::info!(signal = ?taken, "signal taken");
            shutdown.signal(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_signal_forces() {
        let shutdown = Shutdown::new();
        shutdown.signal(Signal::Terminate);
        shutdown.requested().await;
        assert_eq!(shutdown.reason(), Some(Reason::Signal(Signal::Terminate)));
        assert!(!shutdown.forced.is_cancelled());

        shutdown.signal(Signal::Interrupt);
        shutdown.forced().await;
        assert_eq!(shutdown.second_signal().map(Signal::exit_code), Some(130));
        assert_eq!(shutdown.reason(), Some(Reason::Signal(Signal::Terminate)));
    }

    #[tokio::test]
    async fn a_signal_during_a_self_made_shutdown_does_not_force() {
        let shutdown = Shutdown::new();
        shutdown.request(Reason::TaskFailed { task: "queue" });
        shutdown.signal(Signal::Terminate);
        assert!(!shutdown.forced.is_cancelled());
        assert_eq!(shutdown.reason(), Some(Reason::TaskFailed { task: "queue" }));
    }
}
