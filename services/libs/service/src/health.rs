//! The standard gRPC health service, read off [`Readiness`].
//!
//! The empty service name stands for the whole process and needs every latch; a named rpc service needs the
//! latches it was added with (see [`Rpcs`](crate::Rpcs)). As the protocol asks, `Check` of an unknown name is
//! `NOT_FOUND`, while `Watch` answers `SERVICE_UNKNOWN` and stays open.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::readiness::{Readiness, State};
use crate::rpcs::Needs;

/// Serves `grpc.health.v1.Health`.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    readiness: Readiness,
    services: Arc<HashMap<&'static str, Needs>>,
    /// Ends the streams of those who watch: they would hold their connections open until cut.
    ending: CancellationToken,
}

impl HealthService {
    /// Health of the named rpc services, and of the process under the empty name.
    pub(crate) fn new(
        readiness: Readiness,
        services: &[(&'static str, Needs)],
        ending: CancellationToken,
    ) -> Self {
        let process = ("", Needs::Everything);
        let services = std::iter::once(process).chain(services.iter().copied()).collect();
        Self { readiness, services: Arc::new(services), ending }
    }
}

fn status_of(needs: Option<Needs>, state: &State) -> ServingStatus {
    let ready = match needs {
        None => return ServingStatus::ServiceUnknown,
        Some(Needs::Everything) => state.is_all_ready(),
        Some(Needs::Latches(latches)) => state.is_ready(latches),
    };
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// What a watcher has been told, and where the next state comes from.
struct Watching {
    states: watch::Receiver<State>,
    needs: Option<Needs>,
    told: Option<ServingStatus>,
}

impl Watching {
    /// The next status that differs from the one told; none when the process lets go of its readiness.
    async fn next(mut self) -> Option<(HealthCheckResponse, Self)> {
        loop {
            let status = status_of(self.needs, &self.states.borrow_and_update());
            if self.told != Some(status) {
                self.told = Some(status);
                return Some((answer(status), self));
            }
            self.states.changed().await.ok()?;
        }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let needs = self.services.get(service.as_str()).copied();
        if needs.is_none() {
            return Err(Status::not_found(format!("this program has no service {service:?}")));
        }
        Ok(Response::new(answer(status_of(needs, &self.readiness.state()))))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let needs = self.services.get(request.get_ref().service.as_str()).copied();
        let watching = Watching { states: self.readiness.watch(), needs, told: None };
        let answers = stream::unfold(watching, Watching::next).map(Ok);
        Ok(Response::new(Box::pin(answers.take_until(self.ending.clone().cancelled_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watchers_hear_every_change_once_and_the_end() {
        let readiness = Readiness::new();
        let latch = readiness.latch("store");
        let ending = CancellationToken::new();
        let service = HealthService::new(readiness, &[("a.B", Needs::Everything)], ending.clone());
        let watch = |name: &str| {
            let request = Request::new(HealthCheckRequest { service: name.to_owned() });
            let service = service.clone();
            async move { service.watch(request).await.unwrap().into_inner() }
        };
        let mut known = watch("a.B").await;
        let mut unknown = watch("a.C").await;
        let status = |next: Option<Result<HealthCheckResponse, Status>>| next.unwrap().unwrap().status();
        assert_eq!(status(known.next().await), ServingStatus::NotServing);
        assert_eq!(status(unknown.next().await), ServingStatus::ServiceUnknown);
        latch.set();
        assert_eq!(status(known.next().await), ServingStatus::Serving);
        ending.cancel();
        assert!(known.next().await.is_none());
        assert!(unknown.next().await.is_none());
    }
}
