//! The rpc services of one program: their routes, their names and the latches each needs.

use std::convert::Infallible;

use axum::Router;
use axum::response::IntoResponse;
use http::Request;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tower::Service;

use crate::not_built::NotBuilt;

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
    generated: RoutesBuilder,
    /// Services that take whole requests, under their path.
    whole: Router,
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
        self.generated.add_service(service);
        self.services.push((S::NAME, needs));
        self
    }

    /// Adds a service by its full name that takes every rpc of it as a whole request: a forwarder, say.
    #[must_use]
    pub fn serve_whole<S>(mut self, name: &'static str, service: S) -> Self
    where
        S: Service<Request<axum::body::Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.whole = self.whole.route_service(&format!("/{name}/{{*rpc}}"), service);
        self.services.push((name, Needs::Everything));
        self
    }

    /// Adds services that are part of the contract but not built: their rpcs answer UNIMPLEMENTED by name.
    #[must_use]
    pub fn not_built(self, names: &[&'static str]) -> Self {
        names.iter().fold(self, |rpcs, name| rpcs.serve_whole(name, NotBuilt::new(name)))
    }

    pub(crate) fn services(&self) -> &[(&'static str, Needs)] {
        &self.services
    }

    /// Adds a service of the server's own.
    pub(crate) fn add<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.generated.add_service(service);
    }

    /// All routes; what no service takes is answered UNIMPLEMENTED.
    pub(crate) fn into_routes(self) -> Routes {
        self.generated.routes().into_axum_router().merge(self.whole).into()
    }
}
