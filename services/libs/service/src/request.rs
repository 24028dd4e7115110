//! What is known about a request when it arrives, left in its extensions for the handlers.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::metadata::AsciiMetadataValue;

use crate::deadline::{self, Deadline};

/// The header that carries a request's id from service to service.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Ids longer than this, in bytes, are not taken over: they are written to logs.
const MAX_REQUEST_ID: usize = 128;

/// Names a request in logs: the caller's `x-request-id`, or one made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Given(HeaderValue),
    Made(u64),
}

impl RequestId {
    /// The caller's id where it is printable and short, else a new one. No text is made until it is shown.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let given = headers.get(REQUEST_ID_HEADER);
        let usable = |id: &&HeaderValue| !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.to_str().is_ok();
        given.filter(usable).map_or_else(
            || Self(Form::Made(NEXT.fetch_add(1, Ordering::Relaxed))),
            |id| Self(Form::Given(id.clone())),
        )
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Given(id) => formatter.write_str(id.to_str().unwrap_or_default()),
            // The process number tells apart the ids of the services of one machine.
            Form::Made(number) => write!(formatter, "{:x}-{number:x}", std::process::id()),
        }
    }
}

/// When a request came, how long it may take and what it is called; found in the extensions of every request
/// that came through the server.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When its headers were read.
    pub at: Instant,
    /// When its caller gives up, if it said so.
    pub deadline: Option<Deadline>,
    /// Its name in the logs.
    pub id: RequestId,
}

impl Arrival {
    /// The arrival, now, of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let at = Instant::now();
        Self { at, deadline: deadline::from_headers(headers, at), id: RequestId::of(headers) }
    }

    /// The arrival of a request that came through the server.
    pub fn from_request<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get()
    }
}

/// For whom a service calls another one: what of an incoming request goes along with outgoing ones.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// When the caller gives up.
    pub deadline: Option<Deadline>,
    id: Option<AsciiMetadataValue>,
}

impl Caller {
    /// The caller of a request.
    pub fn of<T>(incoming: &tonic::Request<T>) -> Self {
        let id = Arrival::from_request(incoming).map(|arrival| arrival.id.to_string());
        Self { deadline: Deadline::of(incoming), id: id.and_then(|id| id.parse().ok()) }
    }

    /// A request on the caller's behalf: it ends with the caller's patience, and the logs of both services
    /// name it alike.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut outgoing = tonic::Request::new(message);
        if let Some(deadline) = self.deadline {
            deadline.apply(&mut outgoing);
        }
        if let Some(id) = &self.id {
            outgoing.metadata_mut().insert(REQUEST_ID_HEADER, id.clone());
        }
        outgoing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_id_is_kept_when_it_is_fit_for_a_log() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID_HEADER, HeaderValue::from_static("abc-1"));
        assert_eq!(RequestId::of(&headers).to_string(), "abc-1");

        for unfit in ["", "a\u{e9}", &"x".repeat(MAX_REQUEST_ID + 1)] {
            headers.insert(REQUEST_ID_HEADER, HeaderValue::from_bytes(unfit.as_bytes()).unwrap());
            let made = RequestId::of(&headers);
            assert!(matches!(made.0, Form::Made(_)), "{unfit:?}");
            assert_ne!(made, RequestId::of(&headers));
        }
    }
}
