//! How a service calls another one.

mod configuration;
mod discovery;
mod error;

use gifthorse_api::status::status_of;
use tonic::transport::Channel;
use tonic::{Status, TimeoutExpired};

pub use configuration::ClientConfiguration;
pub use error::ClientError;

use crate::configuration::ByteSize;
use crate::tasks::{OnError, Tasks};
use discovery::{Discovery, Name};

/// Changes of the replicas that may wait to be heard of.
const WAITING_CHANGES: usize = 64;

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
    /// while the other service is still starting. Called within a tokio runtime; a task among `tasks` follows
    /// the replicas.
    pub fn new(
        service: &'static str,
        configuration: &ClientConfiguration,
        tasks: &Tasks,
    ) -> Result<Self, ClientError> {
        if configuration.urls.is_empty() {
            return Err(ClientError::NotConfigured { service });
        }
        let names = configuration.urls.iter().map(|url| {
            Name::parse(url, configuration).ok_or_else(|| ClientError::Address { service, url: url.clone() })
        });
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let (channel, changes) = Channel::balance_channel(WAITING_CHANGES);
        let discovery = Discovery::new(service, names, configuration.clone(), changes);
        tasks.spawn("follow replicas", OnError::Log, |stop| discovery.run(stop));
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

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::ErrorCode;
    use gifthorse_api::status::code_of;

    use super::*;
    use crate::configuration::Validate as _;
    use crate::shutdown::Shutdown;

    fn at(urls: &[&str]) -> ClientConfiguration {
        ClientConfiguration { urls: urls.iter().map(ToString::to_string).collect(), ..Default::default() }
    }

    fn peer(urls: &[&str]) -> Result<Peer, ClientError> {
        Peer::new("serving", &at(urls), &Tasks::new(Shutdown::new()))
    }

    #[tokio::test]
    async fn addresses_are_checked_before_use() {
        assert_eq!(peer(&[]).unwrap_err(), ClientError::NotConfigured { service: "serving" });
        for bad in ["", "127.0.0.1:80", "ftp://a:1", "http://", "http://a b"] {
            assert!(peer(&[bad]).is_err(), "{bad:?} must be refused");
            assert_eq!(at(&[bad]).validate().unwrap_err().key, "urls");
        }
        assert!(peer(&["http://127.0.0.1:1", "http://[::1]:2"]).is_ok());
    }

    #[tokio::test]
    async fn only_failures_of_the_transport_are_explained() {
        let peer = peer(&["http://127.0.0.1:1"]).unwrap();
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
