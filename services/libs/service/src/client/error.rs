//! Why another service cannot be called.

use gifthorse_api::catalogue::{Coded, ErrorCode};

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
