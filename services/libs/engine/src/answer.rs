//! The outputs of a batch, and one request's part of them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::datatype::Datatype;
use crate::error::EngineError;
use crate::finite::all_finite;
use crate::request::Waiting;
use crate::signature::Signature;
use crate::tensor::{NamedTensor, Tensor};

/// One output of the network for a whole batch. Empty when no request of the batch wanted it.
#[derive(Debug)]
pub(crate) struct OutputBlock {
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<u64>,
    pub(crate) data: Bytes,
    pub(crate) finite: bool,
}

/// The part of a batch's outputs that belongs to one request.
///
/// Requests of a batch share its buffers: an answer that is kept keeps the batch's outputs in memory.
#[derive(Debug)]
pub(crate) struct Answer {
    outputs: Arc<[OutputBlock]>,
    /// Rows of the batch that are the request's; none means all there is, rows or not.
    rows: Option<Range<usize>>,
}

impl Answer {
    /// The part of `request` in `outputs`, or [`EngineError::NotFinite`] when there is NaN or an infinity in it.
    pub(crate) fn take(
        outputs: &Arc<[OutputBlock]>,
        request: &Waiting,
        rows: Option<Range<usize>>,
        signature: &Signature,
    ) -> Result<Self, EngineError> {
        let answer = Self { outputs: Arc::clone(outputs), rows };
        for (place, block) in outputs.iter().enumerate() {
            if block.finite || !request.wants(place) {
                continue;
            }
            let tensor = answer.tensor(place);
            if !all_finite(tensor.datatype, &tensor.data) {
                let count = tensor.shape.first().map_or(1, |rows| *rows as usize).max(1);
                let row_bytes = (tensor.data.len() / count).max(1);
                let rows = tensor.data.chunks(row_bytes);
                let bad = rows.into_iter().position(|row| !all_finite(tensor.datatype, row));
                let output = signature.outputs[place].name.clone();
                return Err(EngineError::NotFinite { output, row: bad.unwrap_or_default() });
            }
        }
        Ok(answer)
    }

    /// The outputs at `wanted`, or all when it is empty.
    pub(crate) fn into_tensors(self, signature: &Signature, wanted: &[usize]) -> Vec<NamedTensor> {
        let named = |place: usize| NamedTensor {
            name: signature.outputs[place].name.clone(),
            tensor: self.tensor(place),
        };
        if wanted.is_empty() {
            (0..signature.outputs.len()).map(named).collect()
        } else {
            wanted.iter().copied().map(named).collect()
        }
    }

    fn tensor(&self, place: usize) -> Tensor {
        let block = &self.outputs[place];
        let mut shape = block.shape.clone();
        let data = match (&self.rows, shape.first_mut()) {
            (Some(rows), Some(batch_rows)) => {
                let row_bytes = block.data.len() / (*batch_rows as usize).max(1);
                *batch_rows = rows.len() as u64;
                block.data.slice(rows.start * row_bytes..rows.end * row_bytes)
            }
            _ => block.data.clone(),
        };
        Tensor { datatype: block.datatype, shape, data }
    }
}
