//! How a service calls another one.

use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::status::status_of;
use serde::{Deserialize, Serialize};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, TimeoutExpired};

use crate::configuration::{ByteSize, Problem, Validate};

/// A section that says where another service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfiguration {
    /// One `http://host:port` for each replica; requests are spread over them. One name behind which an
    /// orchestrator spreads connections is enough, too.
    pub urls: Vec<String>,
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
        self.urls.iter().try_for_each(|url| endpoint(url).map(drop).ok_or_else(|| wrong(url)))
    }
}

/// A service that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The configuration names no address for it.
    #[error("no address of the {service} service is configured: set {service}.urls")]
    NotConfigured {
        /// The service.
        service: &'static str,
    },
    /// An address is not a URL.
    #[error("the address {url:?} of the {service} service is not of the form http://host:port")]
    Address {
        /// The service.
        service: &'static str,
        /// The address.
        url: String,
    },
    /// It does not answer.
    #[error("the {service} service at {urls} does not answer ({message}): see whether it runs")]
    Unavailable {
        /// The service.
        service: &'static str,
        /// Its addresses.
        urls: String,
        /// What the transport said.
        message: String,
    },
    /// It did not answer before the caller's deadline.
    #[error(
        "the {service} service did not answer before the deadline: allow more time, or send less at once"
    )]
    Late {
        /// The service.
        service: &'static str,
    },
}

impl Coded for ClientError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotConfigured { .. } | Self::Address { .. } | Self::Unavailable { .. } => {
                ErrorCode::ServiceUnavailable
            }
            Self::Late { .. } => ErrorCode::DeadlineExceeded,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let (Self::NotConfigured { service }
        | Self::Address { service, .. }
        | Self::Unavailable { service, .. }
        | Self::Late { service }) = self;
        vec![("service", (*service).to_owned())]
    }
}

/// A channel to another service that knows whose it is. Cheap to clone; connects at the first request and
/// again after a loss.
#[derive(Debug, Clone)]
pub struct Peer {
    service: &'static str,
    urls: String,
    channel: Channel,
    message_bytes: ByteSize,
}

impl Peer {
    /// The `service` ("serving") at the configured addresses. Nothing is connected yet, so this succeeds
    /// while the other service is still starting. Called within a tokio runtime.
    pub fn new(service: &'static str, configuration: &ClientConfiguration) -> Result<Self, ClientError> {
        let endpoints = configuration
            .urls
            .iter()
            .map(|url| {
                let wrong = || ClientError::Address { service, url: url.clone() };
                endpoint(url).map(|endpoint| prepared(endpoint, configuration)).ok_or_else(wrong)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let channel = match endpoints.as_slice() {
            [] => return Err(ClientError::NotConfigured { service }),
            [only] => only.connect_lazy(),
            _ => Channel::balance_list(endpoints.into_iter()),
        };
        let urls = configuration.urls.join(", ");
        Ok(Self { service, urls, channel, message_bytes: configuration.message_bytes })
    }

    /// The channel for a generated client.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// For `max_decoding_message_size` and `max_encoding_message_size` of the generated client, in bytes.
    pub fn message_bytes(&self) -> usize {
        self.message_bytes.as_usize()
    }

    /// The name of the service.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Makes a failed call tell which service is missing: a failure of the transport, whatever code tonic
    /// gave it (a connection that breaks under a request comes as `CANCELLED`, `INTERNAL` or `UNKNOWN`),
    /// becomes `SERVICE_UNAVAILABLE` with the name and addresses, or `DEADLINE_EXCEEDED` when only the time
    /// ran out. A status that the service itself sent is its own.
    pub fn explain(&self, status: Status) -> Status {
        let service = self.service;
        let causes = || std::iter::successors(std::error::Error::source(&status), |cause| cause.source());
        if causes().any(<dyn std::error::Error>::is::<TimeoutExpired>) {
            return status_of(&ClientError::Late { service });
        }
        if causes().next().is_none() {
            return status;
        }
        let (urls, message) = (self.urls.clone(), crate::server::chain(&status));
        status_of(&ClientError::Unavailable { service, urls, message })
    }
}

fn endpoint(url: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_owned()).ok()?;
    let uri = endpoint.uri();
    (uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())).then_some(endpoint)
}

fn prepared(endpoint: Endpoint, configuration: &ClientConfiguration) -> Endpoint {
    endpoint
        .connect_timeout(configuration.connect_timeout)
        .http2_keep_alive_interval(configuration.keepalive_interval)
        .keep_alive_timeout(configuration.keepalive_timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(configuration.stream_window_bytes.as_u32())
        .initial_connection_window_size(configuration.stream_window_bytes.as_u32().saturating_mul(4))
        .tcp_nodelay(true)
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::code_of;

    use super::*;

    fn at(urls: &[&str]) -> ClientConfiguration {
        ClientConfiguration { urls: urls.iter().map(ToString::to_string).collect(), ..Default::default() }
    }

    #[tokio::test]
    async fn addresses_are_checked_before_use() {
        assert_eq!(
            Peer::new("serving", &at(&[])).unwrap_err(),
            ClientError::NotConfigured { service: "serving" }
        );
        for bad in ["", "127.0.0.1:80", "ftp://a:1", "http://", "http://a b"] {
            assert!(Peer::new("serving", &at(&[bad])).is_err(), "{bad:?} must be refused");
            assert_eq!(at(&[bad]).validate().unwrap_err().key, "urls");
        }
        assert!(Peer::new("serving", &at(&["http://127.0.0.1:1", "http://[::1]:2"])).is_ok());
    }

    #[tokio::test]
    async fn only_failures_of_the_transport_are_explained() {
        let peer = Peer::new("serving", &at(&["http://127.0.0.1:1"])).unwrap();
        let own = peer.explain(Status::unavailable("model not loaded"));
        assert_eq!(own.message(), "model not loaded");

        for mut status in [Status::cancelled("cut"), Status::internal("cut"), Status::unknown("cut")] {
            status.set_source(std::sync::Arc::new(std::io::Error::other("connection reset")));
            let explained = peer.explain(status);
            assert_eq!(code_of(&explained), Some(ErrorCode::ServiceUnavailable));
            assert!(explained.message().contains("the serving service"), "{}", explained.message());
        }
        let mut late = Status::cancelled("late");
        late.set_source(std::sync::Arc::new(TimeoutExpired(())));
        assert_eq!(code_of(&peer.explain(late)), Some(ErrorCode::DeadlineExceeded));
    }
}
