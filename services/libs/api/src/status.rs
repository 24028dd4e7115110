//! The one mapping from the catalogue to `tonic::Status` and back.
//!
//! A status carries `google.rpc.ErrorInfo` (reason = the code's text, metadata = the facts), and where they
//! apply `BadRequest` (the field at fault) and `RetryInfo`.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::catalogue::{Coded, ERROR_DOMAIN, ErrorClass, ErrorCode};

/// How long a caller should wait before it tries again after a full queue or a missing part.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The gRPC code of a class of errors.
pub const fn grpc_code(class: ErrorClass) -> Code {
    match class {
        ErrorClass::Invalid => Code::InvalidArgument,
        ErrorClass::Precondition => Code::FailedPrecondition,
        ErrorClass::Missing => Code::NotFound,
        ErrorClass::Exists => Code::AlreadyExists,
        ErrorClass::Denied => Code::PermissionDenied,
        ErrorClass::Exhausted => Code::ResourceExhausted,
        ErrorClass::Unavailable => Code::Unavailable,
        ErrorClass::Deadline => Code::DeadlineExceeded,
        ErrorClass::Cancelled => Code::Cancelled,
        ErrorClass::Corrupt => Code::DataLoss,
        ErrorClass::Unbuilt => Code::Unimplemented,
        ErrorClass::Internal => Code::Internal,
    }
}

/// Turns a coded error into a status with machine-readable details.
pub fn status_of<E: Coded + ?Sized>(error: &E) -> Status {
    build(error.code(), &error.to_string(), error.field(), error.facts())
}

/// A status for a fault that has no error type of its own.
pub fn status(code: ErrorCode, message: &str) -> Status {
    build(code, message, None, Vec::new())
}

/// A status for a request field at fault.
pub fn invalid_field(field: &str, message: &str) -> Status {
    build(ErrorCode::InvalidField, &format!("{field}: {message}"), Some(field.to_owned()), Vec::new())
}

/// The answer of an rpc that is part of the contract but not built.
pub fn not_built(rpc: &str) -> Status {
    status(ErrorCode::NotBuilt, &format!("{rpc} is part of the contract but not built in this release"))
}

fn build(
    code: ErrorCode,
    message: &str,
    field: Option<String>,
    facts: Vec<(&'static str, String)>,
) -> Status {
    let metadata: HashMap<String, String> =
        facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut details = ErrorDetails::with_error_info(code.as_str(), ERROR_DOMAIN, metadata);
    if let Some(field) = field {
        details.add_bad_request_violation(field, message);
    }
    if matches!(code.class(), ErrorClass::Exhausted | ErrorClass::Unavailable) {
        details.set_retry_info(Some(RETRY_DELAY));
    }
    Status::with_error_details(grpc_code(code.class()), message, details)
}

/// The catalogue code that a status of ours carries, if it is one of ours.
pub fn code_of(status: &Status) -> Option<ErrorCode> {
    status.get_error_details().error_info().and_then(|info| ErrorCode::from_text(&info.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_the_wire() {
        for code in ErrorCode::ALL {
            let status = status(*code, "what, which, what to do");
            assert_eq!(status.code(), grpc_code(code.class()));
            assert_eq!(code_of(&status), Some(*code));
            let retry = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
            let retryable = matches!(code.class(), ErrorClass::Exhausted | ErrorClass::Unavailable);
            assert_eq!(retry.is_some(), retryable, "{code}");
        }
    }

    #[test]
    fn a_field_is_named_in_bad_request() {
        let status = invalid_field("top_k", "is -1, use 0 to 100");
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("bad request").field_violations;
        assert_eq!(violations[0].field, "top_k");
        assert_eq!(status.message(), "top_k: is -1, use 0 to 100");
    }
}
