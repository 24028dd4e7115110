//! What a node reads.

use tch::{TchError, Tensor};

/// What travels between nodes.
#[derive(Debug)]
pub(crate) enum Value {
    /// Numbers.
    Tensor(Tensor),
    /// A few integers that say how to reshape; scalars and lists are not told apart.
    Integers(Vec<i64>),
}

/// The inputs of a node in order; none where an optional one is left out.
#[derive(Debug)]
pub(crate) struct Inputs<'a>(pub(crate) Vec<Option<&'a Value>>);

impl<'a> Inputs<'a> {
    /// How many there are, the left out ones included.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).copied().flatten()
    }

    /// A tensor that must be there.
    pub(crate) fn tensor(&self, index: usize) -> Result<&'a Tensor, TchError> {
        self.optional(index)?.ok_or_else(|| TchError::Shape(format!("input {index} is missing")))
    }

    /// A tensor that may be left out.
    pub(crate) fn optional(&self, index: usize) -> Result<Option<&'a Tensor>, TchError> {
        match self.get(index) {
            None => Ok(None),
            Some(Value::Tensor(tensor)) => Ok(Some(tensor)),
            Some(Value::Integers(_)) => {
                Err(TchError::Kind(format!("input {index} holds integers, where numbers are needed")))
            }
        }
    }

    /// Integers that must be there.
    pub(crate) fn integers(&self, index: usize) -> Result<&'a [i64], TchError> {
        match self.get(index) {
            Some(Value::Integers(integers)) => Ok(integers),
            _ => Err(TchError::Kind(format!("input {index} does not hold integers"))),
        }
    }

    /// Whether the first input holds integers.
    pub(crate) fn is_integers(&self) -> bool {
        matches!(self.get(0), Some(Value::Integers(_)))
    }

    /// All inputs as tensors.
    pub(crate) fn tensors(&self) -> Result<Vec<&'a Tensor>, TchError> {
        (0..self.len()).map(|index| self.tensor(index)).collect()
    }
}

/// The place `axis` means among `rank`, counted from the end when negative.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, TchError> {
    let rank = rank as i64;
    let place = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&place) {
        Ok(place as usize)
    } else {
        Err(TchError::Shape(format!("there is no axis {axis} among {rank}")))
    }
}
