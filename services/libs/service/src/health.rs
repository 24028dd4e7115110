//! The standard gRPC health service, driven by [`Readiness`].
//!
//! The empty service name stands for the whole process and needs every latch; a named rpc service needs the
//! latches it was added with (see [`Rpcs`](crate::Rpcs)).

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::readiness::{Readiness, State};
use crate::rpcs::Needs;

/// Publishes readiness through a [`HealthReporter`].
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: Vec<(&'static str, Needs)>,
}

impl Health {
    /// Health of the named rpc services, and of the process under the empty name.
    pub(crate) fn new(reporter: HealthReporter, services: &[(&'static str, Needs)]) -> Self {
        let process = ("", Needs::Everything);
        Self { reporter, services: std::iter::once(process).chain(services.iter().copied()).collect() }
    }

    /// Publishes the state once; done before the first connection is accepted, so that no probe sees a
    /// status that was never true.
    pub(crate) async fn publish(&self, state: &State) {
        for (name, needs) in &self.services {
            let ready = match needs {
                Needs::Everything => state.is_all_ready(),
                Needs::Latches(latches) => state.is_ready(latches),
            };
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Publishes every change of `readiness`; ends when it is dropped.
    pub(crate) async fn follow(&self, readiness: &Readiness) {
        let mut changes = readiness.watch();
        loop {
            let state = changes.borrow_and_update().clone();
            self.publish(&state).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends the streams of those who watch health: they would hold their connections open until cut.
    pub(crate) async fn end_watches(&mut self) {
        for (name, _) in &self.services {
            self.reporter.clear_service_status(name).await;
        }
    }
}
