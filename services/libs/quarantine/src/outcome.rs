//! What the end of a reader means.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use serde::de::DeserializeOwned;

use crate::error::QuarantineError;
use crate::limits::QuarantineLimits;
use crate::protocol::Reply;
use crate::supervise::Ended;

/// The answer, or why there is none.
pub(crate) fn understand<Answer: DeserializeOwned>(
    task: &str,
    ended: &Ended,
    limits: &QuarantineLimits,
) -> Result<Answer, QuarantineError> {
    match (ended.status.signal(), ended.status.code()) {
        (Some(signal), _) => Err(death(signal, ended, limits)),
        (None, Some(0)) => match serde_json::from_slice(&ended.answer) {
            Ok(Reply::Answer(answer)) => Ok(answer),
            Ok(Reply::Fault(fault)) => Err(QuarantineError::Fault(fault)),
            Err(source) => Err(QuarantineError::AnswerUnreadable { task: task.to_owned(), source }),
        },
        (None, status) => Err(QuarantineError::Stopped { status: status.unwrap_or(-1) }),
    }
}

fn death(signal: i32, ended: &Ended, limits: &QuarantineLimits) -> QuarantineError {
    let is = |known: Signal| signal == known.as_raw();
    if is(Signal::XCPU) {
        QuarantineError::CpuTime { limit_seconds: limits.cpu_seconds() }
    } else if is(Signal::XFSZ) {
        QuarantineError::FileTooLong { limit_bytes: limits.output_bytes }
    } else if is(Signal::ABORT) && ended.log.tells_of_exhausted_memory() {
        QuarantineError::OutOfMemory { limit_bytes: limits.memory_bytes }
    } else {
        QuarantineError::Crashed { signal }
    }
}
