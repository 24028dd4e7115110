//! Gives messages beyond the limit their name.
//!
//! tonic refuses them while it decodes, before a handler sees them, with a bare `OUT_OF_RANGE`. No service of
//! ours answers that code, so every one of them is put into the words of the catalogue on its way out.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::status::status_of;
use http::HeaderMap;
use tonic::{Code, Status};

/// A message that is larger than the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message is too large ({found}): send less at once, or raise service.limits.message_bytes")]
struct Oversize {
    /// tonic's words, which have the figures.
    found: String,
}

impl Coded for Oversize {
    fn code(&self) -> ErrorCode {
        ErrorCode::TooLarge
    }
}

/// Renames the status in these headers or trailers, if it is tonic's refusal of a message's size.
pub(crate) fn rename(headers: &mut HeaderMap) {
    let is_suspect = headers
        .get(Status::GRPC_STATUS)
        .is_some_and(|code| Code::from_bytes(code.as_bytes()) == Code::OutOfRange);
    if !is_suspect || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return;
    }
    let found =
        Status::from_header_map(headers).map(|status| status.message().to_owned()).unwrap_or_default();
    let renamed = status_of(&Oversize { found });
    if let Err(error) = renamed.add_header(headers) {
        tracing::error!(%error, "a status of ours does not fit into headers");
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::{code_of, invalid_field};

    use super::*;

    fn renamed(status: &Status) -> Status {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        rename(&mut headers);
        Status::from_header_map(&headers).unwrap()
    }

    #[test]
    fn only_bare_out_of_range_is_renamed() {
        let oversize = renamed(&Status::out_of_range("found 9 bytes, the limit is: 8 bytes"));
        assert_eq!(oversize.code(), Code::InvalidArgument);
        assert_eq!(code_of(&oversize), Some(ErrorCode::TooLarge));
        assert!(oversize.message().contains("found 9 bytes"), "{}", oversize.message());
        for other in [invalid_field("top_k", "is -1"), Status::ok(""), Status::internal("broken")] {
            let same = renamed(&other);
            assert_eq!((same.code(), same.message()), (other.code(), other.message()));
        }
    }
}
