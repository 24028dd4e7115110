//! A network with one input and one output, its rows run in pieces side by side.
//!
//! Threads that share the operators of one run wake and sleep at each of them, which costs small networks a
//! seventh of the processors. So as far as memory allows every thread has a copy of the network to itself, and
//! a piece is so small that what becomes of it stays in the cache of one core.

use std::num::NonZeroUsize;
use std::ops::Range;

use bytes::Bytes;
use gifthorse_engine::{Engine, Execution, InferRequest, Model, ModelOptions, NamedTensor, Pending, Tensor};
use ndarray::Array4;

use super::run::{Patience, RunError};
use crate::error::DetectorError;

/// Rows that may wait for one network; scans in flight are bounded elsewhere.
const QUEUE_ROWS: NonZeroUsize = NonZeroUsize::new(1 << 16).unwrap();
/// Rows of a piece at most.
const MOST_ROWS: NonZeroUsize = NonZeroUsize::new(32).unwrap();
/// Rows for which a run of their own pays.
const LEAST_ROWS: usize = 4;
/// What all copies of one network's weights may take in memory.
const COPIES_BYTES: usize = 256 << 20;

/// How networks are loaded.
#[derive(Debug, Clone)]
pub(super) struct Loader {
    pub(super) engine: Engine,
    pub(super) execution: Execution,
    pub(super) max_rows: NonZeroUsize,
}

/// A loaded network with one input and one output.
#[derive(Debug)]
pub(super) struct Part {
    model: Model,
    input: String,
    split: Split,
}

/// How rows are shared out among the copies of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Split {
    copies: usize,
    most_rows: usize,
}

/// What came of all rows, one below the other.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) shape: Vec<u64>,
    pub(super) values: Vec<f32>,
}

/// Rows of one piece of work that were handed to the copies of a network.
#[derive(Debug)]
pub(super) struct Begun<'a> {
    part: &'a Part,
    patience: &'a Patience,
    pending: Vec<Pending>,
}

impl Loader {
    /// Channels that ONNX Runtime convolves at once on this machine.
    pub(super) fn block(&self) -> usize {
        match self.execution {
            Execution::Cpu => registers(),
            Execution::Cuda { .. } => 1,
        }
    }

    pub(super) async fn part(&self, name: &str, onnx: Vec<u8>) -> Result<Part, DetectorError> {
        let threads = self.engine.threads().get();
        let copies = match self.execution {
            Execution::Cpu => (COPIES_BYTES / onnx.len().max(1)).clamp(1, threads),
            Execution::Cuda { .. } => 1,
        };
        let (max_batch_rows, shared) = match self.execution {
            Execution::Cpu if copies == threads => (self.max_rows.min(MOST_ROWS), threads == 1),
            Execution::Cpu | Execution::Cuda { .. } => (self.max_rows, copies == 1),
        };
        let options = ModelOptions {
            instances: NonZeroUsize::new(copies).unwrap_or(NonZeroUsize::MIN),
            threads: if shared { None } else { NonZeroUsize::new(threads / copies) },
            max_batch_rows,
            queue_rows: QUEUE_ROWS,
            execution: self.execution,
            ..ModelOptions::new(name)
        };
        let model = self.engine.load(Bytes::from(onnx), options).await?;
        let input = model.inputs().first().map(|input| input.name.clone()).unwrap_or_default();
        let split = Split { copies, most_rows: model.max_batch_rows().unwrap_or(usize::MAX) };
        Ok(Part { model, input, split })
    }
}

/// Numbers of single precision that ONNX Runtime puts into a block of channels; 1 where it uses none.
fn registers() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") { 16 } else { 8 }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        1
    }
}

impl Split {
    /// Ranges of so many rows, of about one length: as many for every copy.
    fn pieces(self, rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let side_by_side = self.copies.min(rows / LEAST_ROWS).max(1);
        let count = rows.div_ceil(self.most_rows).next_multiple_of(side_by_side);
        (0..count).map(move |piece| rows * piece / count..rows * (piece + 1) / count)
    }
}

impl Part {
    /// The answers to rows `[N, ...]`.
    pub(super) fn run(&self, rows: Array4<f32>, patience: &Patience) -> Result<Answers, RunError> {
        let shape: Vec<u64> = rows.shape().iter().map(|side| *side as u64).collect();
        let row_bytes = rows.len() / rows.shape()[0].max(1) * size_of::<f32>();
        let pieces = self.pieces(rows.shape()[0]);
        let rows = if rows.is_standard_layout() { rows } else { rows.as_standard_layout().into_owned() };
        let (values, offset) = rows.into_raw_vec_and_offset();
        debug_assert_eq!(offset.unwrap_or(0), 0);
        let whole = Tensor::from_f32(shape, values);
        let mut begun = self.begun(patience);
        for piece in pieces {
            let mut tensor = whole.clone();
            tensor.data = whole.data.slice(piece.start * row_bytes..piece.end * row_bytes);
            if let Some(rows) = tensor.shape.first_mut() {
                *rows = piece.len() as u64;
            }
            begun.tensor(tensor)?;
        }
        begun.finish()
    }

    /// How so many rows are best shared out.
    pub(super) fn pieces(&self, rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        self.split.pieces(rows)
    }

    /// Nothing yet.
    pub(super) fn begun<'a>(&'a self, patience: &'a Patience) -> Begun<'a> {
        Begun { part: self, patience, pending: Vec::new() }
    }
}

impl Begun<'_> {
    /// Hands on a piece, rows in standard order, without waiting for what becomes of it.
    pub(super) fn piece(&mut self, shape: [usize; 4], values: Vec<f32>) -> Result<(), RunError> {
        self.tensor(Tensor::from_f32(shape.map(|side| side as u64).to_vec(), values))
    }

    fn tensor(&mut self, tensor: Tensor) -> Result<(), RunError> {
        let request = InferRequest {
            inputs: vec![NamedTensor { name: self.part.input.clone(), tensor }],
            outputs: Vec::new(),
            deadline: self.patience.deadline,
        };
        self.pending.push(self.part.model.begin(request)?);
        Ok(())
    }

    /// Waits for the answers to all pieces. When one fails the others are taken back.
    pub(super) fn finish(self) -> Result<Answers, RunError> {
        let count = self.pending.len();
        let mut answers = Answers { shape: Vec::new(), values: Vec::new() };
        for pending in self.pending {
            let Some(output) = pending.finish_blocking()?.pop() else { continue };
            let values = output.tensor.to_f32()?;
            if answers.values.capacity() == 0 {
                answers.values.reserve_exact(values.len() * count + values.len() / 2);
            }
            answers.values.extend_from_slice(&values);
            let rows = answers.shape.first().copied().unwrap_or_default();
            answers.shape = output.tensor.shape;
            if let Some(all) = answers.shape.first_mut() {
                *all += rows;
            }
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_gets_as_many_pieces_and_none_is_too_large() {
        let of = |copies, most_rows, rows| Split { copies, most_rows }.pieces(rows).collect::<Vec<_>>();
        assert_eq!(of(2, 32, 100), [0..25, 25..50, 50..75, 75..100]);
        assert_eq!(of(1, 32, 33), [0..16, 16..33]);
        assert_eq!(of(2, 32, 8), [0..4, 4..8]);
        assert_eq!(of(2, 32, 7), vec![Range { start: 0, end: 7 }]);
        assert_eq!(of(8, 32, 1), vec![Range { start: 0, end: 1 }]);
        assert_eq!(of(1, usize::MAX, 100), vec![Range { start: 0, end: 100 }]);
        assert!(of(2, 32, 0).is_empty());
        for (copies, rows) in (1..20).flat_map(|copies| (1..200).map(move |rows| (copies, rows))) {
            let pieces = of(copies, 32, rows);
            assert!(pieces.iter().all(|piece| (1..=32).contains(&piece.len())), "{copies} {rows}");
            assert_eq!(pieces.iter().map(ExactSizeIterator::len).sum::<usize>(), rows);
        }
    }
}
