//! After how many passes a sequential score is looked at.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

/// The numbers are no looks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} are no looks: give passes in strictly rising order, the first at least 1")]
pub struct LooksError(Vec<usize>);

impl Coded for LooksError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }
}

/// Strictly rising numbers of passes; the last is N, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct Looks(Vec<usize>);

impl Looks {
    /// At least one look.
    pub fn new(passes: Vec<usize>) -> Result<Self, LooksError> {
        let rising = passes.windows(2).all(|pair| pair[0] < pair[1]);
        if rising && passes.first().is_some_and(|first| *first > 0) {
            Ok(Self(passes))
        } else {
            Err(LooksError(passes))
        }
    }

    /// 4, 8, 16, 32 as far as they lie below N, and N.
    pub fn doubling(total: usize) -> Result<Self, LooksError> {
        Self::new([4, 8, 16, 32].into_iter().filter(|look| *look < total).chain([total]).collect())
    }

    /// N alone.
    pub fn last_only(total: usize) -> Result<Self, LooksError> {
        Self::new(vec![total])
    }

    /// N.
    pub fn total(&self) -> usize {
        // There is at least one look.
        self.0[self.0.len() - 1]
    }

    /// The looks, rising.
    pub fn passes(&self) -> &[usize] {
        &self.0
    }

    /// Whether there is a look after so many passes.
    pub fn contains(&self, passes: usize) -> bool {
        self.0.binary_search(&passes).is_ok()
    }
}

impl TryFrom<Vec<usize>> for Looks {
    type Error = LooksError;

    fn try_from(passes: Vec<usize>) -> Result<Self, LooksError> {
        Self::new(passes)
    }
}

impl From<Looks> for Vec<usize> {
    fn from(looks: Looks) -> Self {
        looks.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_rise_to_the_last_pass() {
        assert_eq!(Looks::doubling(100).unwrap().passes(), [4, 8, 16, 32, 100]);
        assert_eq!(Looks::doubling(16).unwrap().passes(), [4, 8, 16]);
        assert_eq!(Looks::last_only(3).unwrap().total(), 3);
        for bad in [vec![], vec![0, 4], vec![4, 4], vec![8, 4]] {
            assert!(Looks::new(bad).is_err());
        }
    }
}
