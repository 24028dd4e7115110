//! What a refusal must look like.

use std::fmt::Debug;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::{code_of, grpc_code};
use tonic::{Response, Status};

/// Asserts that an rpc was refused with this code of the catalogue and a message that holds `part`.
#[track_caller]
pub(crate) fn assert_refused<T: Debug>(
    what: &str,
    answer: Result<Response<T>, Status>,
    code: ErrorCode,
    part: &str,
) {
    let refused = match answer {
        Ok(answer) => panic!("{what} must be refused as {code}, but was answered {answer:?}"),
        Err(refused) => refused,
    };
    assert_eq!(code_of(&refused), Some(code), "{what}: {refused:?}");
    assert_eq!(refused.code(), grpc_code(code.class()), "{what}: {refused:?}");
    assert!(refused.message().contains(part), "{what} must mention {part:?}: {}", refused.message());
}
