//! A request before and while it waits.

use std::time::Instant;

use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::error::EngineError;
use crate::tensor::{NamedTensor, Tensor};

/// What a caller asks of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InferRequest {
    /// One tensor for each input of the model, in any order.
    pub inputs: Vec<NamedTensor>,
    /// Names of the outputs wanted, in the order wanted; empty means all, in the model's order.
    pub outputs: Vec<String>,
    /// When the answer stops being of use. A request that still waits then is not run.
    pub deadline: Option<Instant>,
}

impl InferRequest {
    /// A request for all outputs, without a deadline.
    pub fn new(inputs: Vec<NamedTensor>) -> Self {
        Self { inputs, ..Self::default() }
    }
}

/// A request that fits the model's signature: nothing about its tensors can be wrong any more.
#[derive(Debug)]
pub(crate) struct Checked {
    /// In the order of the model's inputs.
    pub(crate) inputs: Vec<Tensor>,
    /// Places of the wanted outputs; empty means all.
    pub(crate) wanted: Vec<usize>,
    pub(crate) rows: usize,
}

/// Where the caller of a queued request waits.
pub(crate) type AnswerReceiver = oneshot::Receiver<Result<Answer, EngineError>>;

/// A checked request in the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) checked: Checked,
    pub(crate) deadline: Option<Instant>,
    pub(crate) arrived: Instant,
    pub(crate) reply: oneshot::Sender<Result<Answer, EngineError>>,
}

impl Waiting {
    /// Why the request need not be run any more, if so.
    pub(crate) fn lapsed(&self, now: Instant) -> Option<EngineError> {
        match self.deadline {
            Some(deadline) if deadline <= now => {
                Some(EngineError::DeadlineExceeded { late: now.duration_since(deadline) })
            }
            _ => self.reply.is_closed().then_some(EngineError::Cancelled),
        }
    }

    /// Whether rows of both may lie in one batch: all axes but the first are equal.
    ///
    /// They differ only in models with free axes beyond the first.
    pub(crate) fn stacks_with(&self, other: &Self) -> bool {
        let pairs = self.checked.inputs.iter().zip(&other.checked.inputs);
        pairs.into_iter().all(|(mine, theirs)| mine.shape.get(1..) == theirs.shape.get(1..))
    }

    pub(crate) fn wants(&self, output: usize) -> bool {
        self.checked.wanted.is_empty() || self.checked.wanted.contains(&output)
    }
}
