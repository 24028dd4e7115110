//! The one mapping from the catalogue to `tonic::Status` and back.
//!
//! A status carries `google.rpc.ErrorInfo` (reason = the code's text, metadata = the facts), and where they
//! apply `BadRequest` (the field at fault) and `RetryInfo`.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::catalogue::{Coded, ERROR_DOMAIN, ErrorClass, ErrorCode};

/// How long a caller should wait after a full queue or a missing part, when the error does not tell.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The gRPC code of a class of errors.
pub const fn grpc_code(class: ErrorClass) -> Code {
    match class {
        ErrorClass::Invalid => Code::InvalidArgument,
        ErrorClass::Precondition => Code::FailedPrecondition,
        ErrorClass::Missing => Code::NotFound,
        ErrorClass::Exists => Code::AlreadyExists,
        ErrorClass::Unauthenticated => Code::Unauthenticated,
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
    build(error.code(), &error.to_string(), error.field(), error.facts(), error.retry_after())
}

/// A status for a fault that has no error type of its own.
pub fn status(code: ErrorCode, message: &str) -> Status {
    build(code, message, None, Vec::new(), None)
}

/// A status for a request field at fault.
pub fn invalid_field(field: &str, message: &str) -> Status {
    let message = format!("{field}: {message}");
    build(ErrorCode::InvalidField, &message, Some(field.to_owned()), Vec::new(), None)
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
    retry_after: Option<Duration>,
) -> Status {
    let metadata: HashMap<String, String> =
        facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut details = ErrorDetails::with_error_info(code.as_str(), ERROR_DOMAIN, metadata);
    if let Some(field) = field {
        details.add_bad_request_violation(field, message);
    }
    let passes = matches!(code.class(), ErrorClass::Exhausted | ErrorClass::Unavailable);
    if let Some(delay) = retry_after.or(passes.then_some(RETRY_DELAY)) {
        details.set_retry_info(Some(delay));
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

    fn retry_delay(status: &Status) -> Option<Duration> {
        status.get_error_details().retry_info().and_then(|info| info.retry_delay)
    }

    #[test]
    fn every_code_survives_the_wire() {
        for code in ErrorCode::ALL {
            let status = status(*code, "what, which, what to do");
            assert_eq!(status.code(), grpc_code(code.class()));
            assert_eq!(code_of(&status), Some(*code));
            let retryable = matches!(code.class(), ErrorClass::Exhausted | ErrorClass::Unavailable);
            assert_eq!(retry_delay(&status), retryable.then_some(Duration::from_millis(200)), "{code}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{code}, retry after {retry_after:?}")]
    struct Refusal {
        code: ErrorCode,
        retry_after: Option<Duration>,
    }

    impl Coded for Refusal {
        fn code(&self) -> ErrorCode {
            self.code
        }

        fn retry_after(&self) -> Option<Duration> {
            self.retry_after
        }
    }

    #[test]
    fn an_error_that_knows_when_to_retry_is_believed() {
        let millis = |delay| Some(Duration::from_millis(delay));
        let cases = [
            (ErrorCode::QueueFull, millis(45), millis(45)),
            (ErrorCode::QueueFull, None, millis(200)),
            (ErrorCode::InUse, millis(1500), millis(1500)),
            (ErrorCode::InUse, None, None),
        ];
        for (code, retry_after, expected) in cases {
            let refusal = Refusal { code, retry_after };
            assert_eq!(retry_delay(&status_of(&refusal)), expected, "{refusal}");
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
