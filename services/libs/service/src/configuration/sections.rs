//! The common section `[service]` and its parts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Problem, Validate};

/// The section `[service]` that every service embeds as a field named `service`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceConfiguration {
    /// Where to listen for gRPC. Loopback by default: nothing is offered to a network unless asked. Port 0
    /// takes a free port, which the ready line on standard output names.
    pub listen: SocketAddr,
    /// Where to listen for `/live`, `/ready` and `/metrics` (HTTP/1).
    pub admin_listen: SocketAddr,
    /// The log.
    pub log: LogConfiguration,
    /// What one client may cost.
    pub limits: LimitsConfiguration,
    /// How the service ends.
    pub drain: DrainConfiguration,
    /// Threads.
    pub runtime: RuntimeConfiguration,
}

impl ServiceConfiguration {
    /// The defaults of a program: gRPC on this loopback port, the admin pages ten ports above it.
    pub fn on_port(port: u16) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { listen: loopback(port), admin_listen: loopback(port + 10), ..Self::default() }
    }
}

impl Default for ServiceConfiguration {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: loopback,
            admin_listen: loopback,
            log: LogConfiguration::default(),
            limits: LimitsConfiguration::default(),
            drain: DrainConfiguration::default(),
            runtime: RuntimeConfiguration::default(),
        }
    }
}

impl Validate for ServiceConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        self.log.validate().map_err(|problem| problem.within("log"))?;
        self.limits.validate().map_err(|problem| problem.within("limits"))
    }
}

/// The section `[store]` of every service that keeps or reads artefacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfiguration {
    /// A folder, as a path or a `file://` URL, or a bucket, `s3://BUCKET/PREFIX`; replicas share it.
    pub url: String,
    /// Where copies of a bucket's files are kept; unset: nowhere, each is fetched whenever it is needed.
    pub cache: Option<PathBuf>,
    /// Bytes of all copies together.
    pub cache_bytes: ByteSize,
}

impl Default for StoreConfiguration {
    fn default() -> Self {
        Self { url: "gifthorse-data".to_owned(), cache: None, cache_bytes: ByteSize::mebibytes(20 * 1024) }
    }
}

impl Validate for StoreConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        if self.url.is_empty() {
            return Err(Problem::new("url", "is empty: give a folder, or s3://BUCKET/PREFIX"));
        }
        Ok(())
    }
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[service.log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfiguration {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines are written: directives of `tracing_subscriber::EnvFilter`. `rpc=debug` adds a span with
    /// the request id to every line of a request, at a cost for each request.
    pub filter: String,
}

impl Default for LogConfiguration {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".to_owned() }
    }
}

impl Validate for LogConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        tracing_subscriber::EnvFilter::try_new(&self.filter).map(drop).map_err(|error| {
            Problem::new("filter", format!("{:?} is not a log filter: {error}", self.filter))
        })
    }
}

/// `[service.limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfiguration {
    /// The largest message taken or sent. tonic keeps this limit in each generated server and client, so the
    /// services pass it to `max_decoding_message_size` and `max_encoding_message_size`. The default holds
    /// a batch of 2,000 pictures of 55 x 47 x 3 `f32`s.
    pub message_bytes: ByteSize,
    /// Requests being worked on at once, over all connections; one more is answered `RESOURCE_EXHAUSTED` at
    /// once instead of waiting, because a caller can do better with a quick refusal than with a late answer.
    /// Health and reflection are not counted. A stream counts until it ends.
    pub concurrent_requests: usize,
    /// Streams one connection may have open at once; further ones wait in the client.
    pub concurrent_streams: u32,
    /// The largest set of headers of one request.
    pub header_bytes: ByteSize,
    /// HTTP/2 flow control: bytes of one stream that may be on the way unread. Bounds memory a stream.
    pub stream_window_bytes: ByteSize,
    /// HTTP/2 flow control: bytes of one connection that may be on the way unread.
    pub connection_window_bytes: ByteSize,
    /// After this long a connection is told to end once its requests are answered, so that clients spread
    /// again over new replicas.
    #[serde(with = "humantime_serde")]
    pub connection_age: Duration,
    /// A quiet connection is pinged this often ...
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// ... and closed when the answer takes longer than this.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// Streams a client may open and reset before the service has seen them; more of them close the
    /// connection (the "rapid reset" attack).
    pub pending_reset_streams: usize,
    /// Streams the service itself resets on errors of the client before it closes the connection.
    pub error_reset_streams: usize,
}

impl Default for LimitsConfiguration {
    fn default() -> Self {
        Self {
            message_bytes: ByteSize::mebibytes(64),
            concurrent_requests: 1024,
            concurrent_streams: 1024,
            header_bytes: ByteSize::kibibytes(16),
            stream_window_bytes: ByteSize::mebibytes(2),
            connection_window_bytes: ByteSize::mebibytes(8),
            connection_age: Duration::from_mins(30),
            keepalive_interval: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
            pending_reset_streams: 20,
            error_reset_streams: 256,
        }
    }
}

impl Validate for LimitsConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        // RFC 9113: a window is at most 2^31 - 1.
        const LARGEST_WINDOW: ByteSize = ByteSize::bytes((1 << 31) - 1);
        let refused = |key: &str, message: String| Err(Problem::new(key, message));
        if self.message_bytes < ByteSize::kibibytes(1) {
            return refused(
                "message_bytes",
                format!("{} is too small: use 1KiB or more", self.message_bytes),
            );
        }
        if self.concurrent_requests == 0 {
            return refused("concurrent_requests", "0 would refuse every request: use 1 or more".to_owned());
        }
        if self.concurrent_streams == 0 {
            return refused("concurrent_streams", "0 would refuse every request: use 1 or more".to_owned());
        }
        for (key, window) in [
            ("stream_window_bytes", self.stream_window_bytes),
            ("connection_window_bytes", self.connection_window_bytes),
        ] {
            if window < ByteSize::kibibytes(64) || window > LARGEST_WINDOW {
                return refused(key, format!("{window} is not between 64KiB and 2147483647B"));
            }
        }
        for (key, duration) in [
            ("connection_age", self.connection_age),
            ("keepalive_interval", self.keepalive_interval),
            ("keepalive_timeout", self.keepalive_timeout),
        ] {
            if duration.is_zero() {
                return refused(key, "0s would close every connection: use a longer time".to_owned());
            }
        }
        Ok(())
    }
}

/// `[service.drain]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrainConfiguration {
    /// How long to go on serving after readiness is withdrawn, so that load balancers can see it and send
    /// requests elsewhere. Zero where nobody looks (`gifthorse up`).
    #[serde(with = "humantime_serde")]
    pub notice: Duration,
    /// How long requests in flight may take to end before their connections are cut. `notice` + `grace` +
    /// `tasks` should stay below the orchestrator's termination period (30 s by default in Kubernetes).
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// How long background tasks may take to end before they are aborted.
    #[serde(with = "humantime_serde")]
    pub tasks: Duration,
}

impl Default for DrainConfiguration {
    fn default() -> Self {
        Self { notice: Duration::from_secs(2), grace: Duration::from_secs(20), tasks: Duration::from_secs(5) }
    }
}

/// `[service.runtime]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfiguration {
    /// Threads that drive requests; 0 takes one a processor.
    pub worker_threads: usize,
}
