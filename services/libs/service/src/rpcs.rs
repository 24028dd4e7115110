//! The rpc services of one program: their routes, their names and the latches each needs.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http::Request;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tower::Service;

/// Which latches must be set for an rpc service to be SERVING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Every latch of the process.
    Everything,
    /// These latches; none for a service that always serves.
    Latches(&'static [&'static str]),
}

/// The rpc services a program offers; health and reflection are added by the server.
#[derive(Debug, Default)]
pub struct Rpcs {
    routes: RoutesBuilder,
    services: Vec<(&'static str, Needs)>,
}

impl Rpcs {
    /// No services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server that is healthy when every latch is set.
    ///
    /// Set its `max_decoding_message_size` and `max_encoding_message_size` to
    /// [`message_bytes`](crate::configuration::LimitsConfiguration::message_bytes) first: tonic keeps these
    /// limits in each generated server (4 MiB unless set), and nobody else can.
    #[must_use]
    pub fn serve<S>(self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.serve_needing(Needs::Everything, service)
    }

    /// Adds a generated server whose health needs only what `needs` says.
    #[must_use]
    pub fn serve_needing<S>(mut self, needs: Needs, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.services.push((S::NAME, needs));
        self
    }

    /// Services that were routed already; `services` are their full names with their needs.
    pub fn from_routes(routes: Routes, services: &[(&'static str, Needs)]) -> Self {
        Self { routes: routes.into(), services: services.to_vec() }
    }

    pub(crate) fn services(&self) -> &[(&'static str, Needs)] {
        &self.services
    }

    pub(crate) fn into_routes(self) -> RoutesBuilder {
        self.routes
    }
}
