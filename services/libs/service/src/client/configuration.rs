//! Where another service is, and how its connections are made.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::transport::Endpoint;

use crate::configuration::{ByteSize, Problem, Validate};

/// A section that says where another service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfiguration {
    /// `http://host:port`, one for each replica or one name for all of them: requests are spread over every address that
    /// the names stand for.
    pub urls: Vec<String>,
    /// How often names are looked up, so that replicas which come and go are noticed.
    #[serde(with = "humantime_serde")]
    pub resolve_interval: Duration,
    /// How long a connection may take to be made.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// A quiet connection is pinged this often, also between requests ...
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// ... and dropped when the answer takes longer than this.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// The largest message sent or taken; pass it to the generated client.
    pub message_bytes: ByteSize,
    /// HTTP/2 flow control: bytes of one answer that may be on the way unread.
    pub stream_window_bytes: ByteSize,
}

impl Default for ClientConfiguration {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            resolve_interval: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            message_bytes: ByteSize::mebibytes(64),
            stream_window_bytes: ByteSize::mebibytes(2),
        }
    }
}

impl Validate for ClientConfiguration {
    fn validate(&self) -> Result<(), Problem> {
        let wrong =
            |url: &String| Problem::new("urls", format!("{url:?} is not of the form http://host:port"));
        if self.resolve_interval < Duration::from_millis(100) {
            let message = format!("{:?} is too short: use 100ms or more", self.resolve_interval);
            return Err(Problem::new("resolve_interval", message));
        }
        self.urls.iter().try_for_each(|url| endpoint(url).map(drop).ok_or_else(|| wrong(url)))
    }
}

/// An address of the form that is asked for.
pub(super) fn endpoint(url: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_owned()).ok()?;
    let uri = endpoint.uri();
    (uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())).then_some(endpoint)
}

/// The same with the section's settings.
pub(super) fn prepared(endpoint: Endpoint, configuration: &ClientConfiguration) -> Endpoint {
    endpoint
        .connect_timeout(configuration.connect_timeout)
        .http2_keep_alive_interval(configuration.keepalive_interval)
        .keep_alive_timeout(configuration.keepalive_timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(configuration.stream_window_bytes.as_u32())
        .initial_connection_window_size(configuration.stream_window_bytes.as_u32().saturating_mul(4))
        .tcp_nodelay(true)
}
