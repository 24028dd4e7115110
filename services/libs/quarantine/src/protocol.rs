//! What parent and reader say to each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::RemoteFault;
use crate::limits::QuarantineLimits;

/// The first argument that makes a program of the house a reader of one foreign file.
///
/// The task's name and the parent's process id follow it.
pub const READER_ARGUMENT: &str = "read-foreign";

/// What the parent writes on the reader's stdin.
#[derive(Serialize)]
pub(crate) struct Envelope<'a, Request: ?Sized> {
    pub(crate) limits: &'a QuarantineLimits,
    pub(crate) request: &'a Request,
}

/// The envelope as the reader finds it; the task decides what the request must look like.
#[derive(Deserialize)]
pub(crate) struct OpenedEnvelope {
    pub(crate) limits: QuarantineLimits,
    pub(crate) request: Value,
}

/// What the reader writes on its stdout.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply<Answer> {
    Answer(Answer),
    Fault(RemoteFault),
}
