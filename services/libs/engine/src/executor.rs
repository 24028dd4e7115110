//! Running a batch: rows gathered into one buffer an input, the network run, the outputs kept together.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::answer::OutputBlock;
use crate::error::EngineError;
use crate::finite::all_finite;
use crate::network::{InputBlock, Network, OutputBuffer};
use crate::request::Waiting;
use crate::signature::Signature;
use crate::statistics::Execution;
use crate::tensor::{Shape, Tensor};

/// A network with the buffers its batches are gathered in, which are kept from batch to batch.
pub(crate) struct Executor {
    network: Box<dyn Network>,
    signature: Arc<Signature>,
    max_batch_rows: usize,
    /// One for each input, in words of eight bytes so that every element type is aligned.
    gathered: Vec<Vec<u64>>,
    shapes: Vec<Vec<u64>>,
    /// Bytes of each output's last batch: a guess at the next one's.
    output_sizes: Vec<usize>,
}

impl Executor {
    pub(crate) fn new(network: Box<dyn Network>, signature: Arc<Signature>, max_batch_rows: usize) -> Self {
        let inputs = signature.inputs.len();
        let output_sizes = vec![0; signature.outputs.len()];
        Self {
            network,
            max_batch_rows,
            gathered: vec![Vec::new(); inputs],
            shapes: vec![Vec::new(); inputs],
            output_sizes,
            signature,
        }
    }

    /// Runs the batch and adds what was run to `executions`.
    ///
    /// Several requests have at most `max_batch_rows` together. A single one may have more; it is run in
    /// parts, and given up between them when it lapses.
    pub(crate) fn execute(
        &mut self,
        batch: &[Waiting],
        executions: &mut Vec<Execution>,
    ) -> Result<Arc<[OutputBlock]>, EngineError> {
        let rows: usize = batch.iter().map(|request| request.checked.rows).sum();
        let step = if self.signature.batching { self.max_batch_rows } else { rows };
        let mut outputs = self.output_buffers(batch);
        let mut start = 0;
        while start < rows {
            let now = Instant::now();
            if start > 0
                && let Some(lapse) = batch.first().and_then(|request| request.lapsed(now))
            {
                return Err(lapse);
            }
            let end = rows.min(start + step);
            executions.push(self.run(batch, start..end, now, &mut outputs)?);
            start = end;
        }
        let started = Instant::now();
        let blocks = outputs.into_iter().zip(&mut self.output_sizes).map(|(mut buffer, size)| {
            if buffer.wanted {
                *size = buffer.data.len();
            }
            if self.signature.batching
                && let Some(batch_rows) = buffer.shape.first_mut()
            {
                *batch_rows = rows as u64;
            }
            let finite = all_finite(buffer.datatype, &buffer.data);
            let OutputBuffer { datatype, shape, data, .. } = buffer;
            OutputBlock { datatype, shape, data: Bytes::from(data), finite }
        });
        let blocks = blocks.collect();
        if let Some(last) = executions.last_mut() {
            last.output += started.elapsed();
        }
        Ok(blocks)
    }

    fn output_buffers(&self, batch: &[Waiting]) -> Vec<OutputBuffer> {
        let outputs = self.signature.outputs.iter().enumerate();
        let buffers = outputs.map(|(place, output)| {
            let wanted = batch.iter().any(|request| request.wants(place));
            let size = if wanted { self.output_sizes[place] } else { 0 };
            OutputBuffer {
                datatype: output.datatype,
                wanted,
                shape: Vec::with_capacity(output.shape.len()),
                data: Vec::with_capacity(size),
            }
        });
        buffers.collect()
    }

    /// Runs `window` of the batch's rows; `started` is when it began.
    fn run(
        &mut self,
        batch: &[Waiting],
        window: Range<usize>,
        started: Instant,
        outputs: &mut [OutputBuffer],
    ) -> Result<Execution, EngineError> {
        let rows = window.len();
        let buffers = self.gathered.iter_mut().zip(&mut self.shapes);
        let inputs: Vec<InputBlock<'_>> = buffers
            .enumerate()
            .map(|(place, (buffer, shape))| {
                let first = &batch[0].checked.inputs[place];
                shape.clone_from(&first.shape);
                let bytes: &[u8] = if self.signature.batching {
                    shape[0] = rows as u64;
                    gather(buffer, batch, place, window.clone())
                } else {
                    aligned(buffer, first)
                };
                InputBlock { datatype: first.datatype, shape, bytes }
            })
            .collect();
        let gathered = Instant::now();
        let reason = |reason| EngineError::Run { model: self.signature.model.clone(), reason };
        let infer = self.network.run(&inputs, outputs).map_err(reason)?;
        if self.signature.batching {
            for (place, buffer) in outputs.iter().enumerate().filter(|(_, buffer)| buffer.wanted) {
                if buffer.shape.first() != Some(&(rows as u64)) {
                    let name = &self.signature.outputs[place].name;
                    let shape = Shape::of(&buffer.shape);
                    return Err(reason(format!("output {name:?} has shape {shape} for {rows} rows")));
                }
            }
        }
        let output = gathered.elapsed().saturating_sub(infer);
        Ok(Execution { rows, input: gathered - started, infer, output })
    }
}

/// The rows of `window` of input `place`, back to back and aligned.
///
/// Rows of a single request are used where they lie if they happen to be aligned; others are copied once.
fn gather<'a>(
    buffer: &'a mut Vec<u64>,
    batch: &'a [Waiting],
    place: usize,
    window: Range<usize>,
) -> &'a [u8] {
    let mut first_row = 0;
    let pieces = batch.iter().filter_map(|request| {
        let tensor = &request.checked.inputs[place];
        let rows = first_row..first_row + request.checked.rows;
        first_row = rows.end;
        let row_bytes = tensor.data.len() / rows.len();
        let start = window.start.max(rows.start);
        let end = window.end.min(rows.end);
        (start < end).then(|| &tensor.data[(start - rows.start) * row_bytes..(end - rows.start) * row_bytes])
    });
    let size = batch[0].checked.inputs[place].datatype.size();
    if let [_only] = batch {
        let piece = pieces.last().unwrap_or_default();
        return if is_aligned(piece, size) { piece } else { copy(buffer, std::iter::once(piece)) };
    }
    copy(buffer, pieces)
}

/// The whole of a tensor, aligned.
fn aligned<'a>(buffer: &'a mut Vec<u64>, tensor: &'a Tensor) -> &'a [u8] {
    let piece = &tensor.data[..];
    let whole = is_aligned(piece, tensor.datatype.size());
    if whole { piece } else { copy(buffer, std::iter::once(piece)) }
}

fn is_aligned(bytes: &[u8], size: usize) -> bool {
    bytes.as_ptr().addr().is_multiple_of(size)
}

fn copy<'a, 'b>(buffer: &'a mut Vec<u64>, pieces: impl Iterator<Item = &'b [u8]>) -> &'a [u8] {
    let mut length = 0;
    for piece in pieces {
        let end = length + piece.len();
        let words = end.div_ceil(size_of::<u64>());
        if buffer.len() < words {
            buffer.resize(words, 0);
        }
        bytemuck::cast_slice_mut(buffer)[length..end].copy_from_slice(piece);
        length = end;
    }
    &bytemuck::cast_slice(buffer)[..length]
}
