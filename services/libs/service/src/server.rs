//! The gRPC server of a service, from binding to the last step of the shutdown.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::HealthServer;

use crate::admin::Admin;
use crate::configuration::{LimitsConfiguration, ServiceConfiguration};
use crate::connections::Connections;
use crate::health::HealthService;
use crate::main_support::Identity;
use crate::metric_names::BUILD_INFO;
use crate::observe::ObserveLayer;
use crate::overload::Admission;
use crate::readiness::Readiness;
use crate::rpc_table::RpcTable;
use crate::rpcs::Rpcs;
use crate::shutdown::{Reason, Shutdown, Signal};
use crate::tasks::{OnError, Tasks};
use crate::telemetry::{self, TelemetryError};

/// How often histograms are folded; between scrapes they would grow without bound.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// How long cut connections may take to notice.
const CUT_LIMIT: Duration = Duration::from_secs(1);

/// A server that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be bound.
    #[error("cannot listen on {address} ({key}): {source}")]
    Bind {
        /// The key of the configuration that holds the address.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The metrics cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The descriptor set that the program was built with cannot be decoded.
    #[error("the embedded protobuf descriptors are damaged: {0}")]
    Descriptors(#[from] prost::DecodeError),
    /// Reflection does not accept the descriptors.
    #[error("the embedded protobuf descriptors are not fit for reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server ended though nobody asked it to.
    #[error("the gRPC server ended by itself: {message}")]
    Ended {
        /// What tonic said.
        message: String,
    },
}

/// Where a service listens, with the ports that were really taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// gRPC.
    pub grpc: SocketAddr,
    /// `/live`, `/ready`, `/metrics`.
    pub admin: SocketAddr,
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why it stopped.
    pub reason: Reason,
    /// Connections that were cut when the grace was over.
    pub cut: usize,
    /// Tasks that were aborted because they did not end in time.
    pub aborted: Vec<&'static str>,
    /// The second signal, if one put an end to the orderly shutdown.
    pub forced: Option<Signal>,
}

impl Ended {
    /// 0 after an orderly stop, 1 when a needed task failed, 128 + the signal's number after a second signal.
    pub fn exit_code(&self) -> u8 {
        match (&self.forced, &self.reason) {
            (Some(signal), _) => signal.exit_code(),
            (None, Reason::TaskFailed { .. }) => 1,
            (None, Reason::Signal(_) | Reason::Requested) => 0,
        }
    }
}

/// A server whose ports are bound and whose admin pages answer, but that takes no requests yet.
pub struct Server {
    identity: Identity,
    configuration: ServiceConfiguration,
    listener: TcpListener,
    addresses: Addresses,
    readiness: Readiness,
    tasks: Tasks,
    shutdown: Shutdown,
    admission: Admission,
    connections: Connections,
}

impl Server {
    /// Binds both ports, so that a wrong address is known before anything is loaded, and starts the admin
    /// pages.
    pub async fn bind(
        identity: Identity,
        configuration: &ServiceConfiguration,
        shutdown: Shutdown,
    ) -> Result<Self, ServerError> {
        let metrics = telemetry::metrics()?;
        let (listener, grpc) = bind("service.listen", configuration.listen).await?;
        let (admin_listener, admin) = bind("service.admin_listen", configuration.admin_listen).await?;
        let server = Self {
            identity,
            configuration: configuration.clone(),
            listener,
            addresses: Addresses { grpc, admin },
            readiness: Readiness::new(),
            tasks: Tasks::new(shutdown.clone()),
            shutdown,
            admission: Admission::new(configuration.limits.concurrent_requests),
            connections: Connections::default(),
        };
        metrics::gauge!(BUILD_INFO, "program" => identity.name, "version" => identity.version).set(1.0);
        server.start_admin(admin_listener, metrics);
        Ok(server)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The latches.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The owner of this service's tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The handle by which it is stopped.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Serves `rpcs` until the shutdown is asked for and done. `accepting` is called once, when connections
    /// are being taken.
    pub async fn run(self, rpcs: Rpcs, accepting: impl FnOnce(Addresses)) -> Result<Ended, ServerError> {
        let shutdown = self.shutdown.clone();
        let serving = self.serve_and_drain(rpcs, accepting);
        tokio::select! {
            biased;
            () = shutdown.forced() => {
                let reason = shutdown.reason().unwrap_or(Reason::Requested);
                Ok(Ended { reason, cut: 0, aborted: Vec::new(), forced: shutdown.second_signal() })
            }
            ended = serving => ended,
        }
    }

    async fn serve_and_drain(
        self,
        mut rpcs: Rpcs,
        accepting: impl FnOnce(Addresses),
    ) -> Result<Ended, ServerError> {
        let descriptors: Vec<&[u8]> = self.identity.descriptors.iter().copied().chain(STANDARD).collect();
        let names: Vec<&'static str> =
            rpcs.services().iter().map(|(name, _)| *name).chain(STANDARD_SERVICES).collect();
        let table = RpcTable::new(&descriptors, |name| names.contains(&name))?;

        let ending = self.shutdown.ending().clone();
        let health = HealthService::new(self.readiness.clone(), rpcs.services(), ending);
        rpcs.add(HealthServer::new(health));
        // Reflection tells what this program serves, not everything the descriptors hold.
        let reflection = || {
            let builder = tonic_reflection::server::Builder::configure();
            let builder = descriptors
                .iter()
                .fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set));
            names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
        };
        rpcs.add(reflection().build_v1()?);
        rpcs.add(reflection().build_v1alpha()?);

        let stop_accepting = CancellationToken::new();
        let observe = ObserveLayer::new(table, self.admission.clone());
        let mut serving = pin!(
            transport(&self.configuration.limits)
                .layer(observe)
                .add_routes(rpcs.into_routes())
                .serve_with_incoming_shutdown(
                    self.connections.accept(self.listener),
                    stop_accepting.clone().cancelled_owned(),
                )
        );
        tracing::info!(grpc = %self.addresses.grpc, admin = %self.addresses.admin, "accepting requests");
        accepting(self.addresses);

        until(self.shutdown.requested(), serving.as_mut()).await?;
        let drain = &self.configuration.drain;
        let reason = self.shutdown.reason().unwrap_or(Reason::Requested);
        tracing::info!(?reason, notice = ?drain.notice, "stopping: not ready any more");
        self.readiness.drain();
        until(sleep(drain.notice), serving.as_mut()).await?;

        tracing::info!(in_flight = self.admission.in_flight(), grace = ?drain.grace, "stopping: no new requests");
        self.shutdown.end_streams();
        stop_accepting.cancel();
        let mut cut = 0;
        // tonic waits for every connection to close, which one that hangs never does (hyper issue 4170).
        if timeout(drain.grace, serving.as_mut()).await.is_err() {
            cut = self.connections.cut();
            tracing::warn!(connections = cut, "grace is over, connections cut");
            if timeout(CUT_LIMIT, serving).await.is_err() {
                tracing::warn!("cut connections did not end in time");
            }
        }
        let aborted = self.tasks.finish(drain.tasks).await;
        tracing::info!(?reason, "stopped");
        Ok(Ended { reason, cut, aborted, forced: None })
    }

    fn start_admin(&self, listener: TcpListener, metrics: PrometheusHandle) {
        let admin = Admin {
            readiness: self.readiness.clone(),
            metrics: metrics.clone(),
            admission: self.admission.clone(),
            connections: self.connections.clone(),
        };
        self.tasks.spawn("admin pages", OnError::Shutdown, |stop| admin.serve(listener, stop));
        self.tasks.spawn("metrics upkeep", OnError::Log, |stop| async move {
            while timeout(METRICS_UPKEEP, stop.cancelled()).await.is_err() {
                metrics.run_upkeep();
            }
            Ok::<_, Infallible>(())
        });
    }
}

/// Descriptors and names of the services that every program has.
const STANDARD: [&[u8]; 3] = [
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];
const STANDARD_SERVICES: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let wrong = |source| ServerError::Bind { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let taken = listener.local_addr().map_err(wrong)?;
    Ok((listener, taken))
}

/// tonic's server with our limits. `TCP_NODELAY` is set where connections are accepted.
fn transport(limits: &LimitsConfiguration) -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .max_concurrent_streams(limits.concurrent_streams)
        .initial_stream_window_size(limits.stream_window_bytes.as_u32())
        .initial_connection_window_size(limits.connection_window_bytes.as_u32())
        .http2_max_header_list_size(limits.header_bytes.as_u32())
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .http2_max_pending_accept_reset_streams(Some(limits.pending_reset_streams))
        .http2_max_local_error_reset_streams(Some(limits.error_reset_streams))
        // Without its own grace: tonic would then cut the connection without telling the client to leave.
        .max_connection_age(limits.connection_age)
}

/// Serves until `event` happens; that the server ends before is an error.
async fn until<E, S, T>(event: E, serving: Pin<&mut S>) -> Result<(), ServerError>
where
    E: Future<Output = ()>,
    S: Future<Output = Result<(), T>>,
    T: std::error::Error,
{
    tokio::select! {
        () = event => Ok(()),
        ended = serving => {
            let message = ended.map_or_else(|error| chain(&error), |()| "the listener is gone".to_owned());
            Err(ServerError::Ended { message })
        }
    }
}

/// An error and what caused it, in one line; causes that the text before names already are left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
