//! Seeded draws, the same on every machine for the same seed.
//!
//! Chance comes from `ChaCha8` (`seed_from_u64`), whose stream is fixed for ever; only whole numbers are
//! calculated with.

use std::collections::BTreeMap;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// More rows were asked for than there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} rows cannot be set aside from {total}: give more images, or ask for fewer")]
pub struct DrawError {
    /// Rows wanted in all parts together.
    pub wanted: usize,
    /// Rows there are.
    pub total: usize,
}

impl Coded for DrawError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }
}

/// Rows set aside by lot, and what is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The parts in the order asked for, each in the order drawn: the order a bank keeps.
    pub parts: Vec<Vec<usize>>,
    /// All other rows, ascending.
    pub rest: Vec<usize>,
}

impl Draw {
    /// Draws parts of these sizes (a bank, hosts, a reference part) out of `total` rows, disjointly.
    pub fn new(total: usize, sizes: &[usize], seed: u64) -> Result<Self, DrawError> {
        let wanted = sizes.iter().fold(0_usize, |sum, size| sum.saturating_add(*size));
        if wanted > total {
            return Err(DrawError { wanted, total });
        }
        let mut order = permutation(total, seed);
        let mut rest = order.split_off(wanted);
        rest.sort_unstable();
        let mut left = order.as_slice();
        let parts = sizes
            .iter()
            .map(|size| {
                let (part, others) = left.split_at(*size);
                left = others;
                part.to_vec()
            })
            .collect();
        Ok(Self { parts, rest })
    }
}

/// All rows in drawn order.
pub fn permutation(total: usize, seed: u64) -> Vec<usize> {
    let mut chance = Chance::new(seed);
    let mut order: Vec<usize> = (0..total).collect();
    chance.shuffle(&mut order);
    order
}

/// One row of each group, drawn among its members; ascending.
///
/// Near-duplicates (frames of a video, pictures of one person) are not independent: a calibration that counts
/// each of them promises more than it can keep.
pub fn one_of_each_group(groups: &[i64], seed: u64) -> Vec<usize> {
    let mut members: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(row);
    }
    let mut chance = Chance::new(seed);
    let mut rows: Vec<usize> =
        members.values().map(|rows| rows[chance.below(rows.len() as u64) as usize]).collect();
    rows.sort_unstable();
    rows
}

pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `bound`, which must be positive, each as likely as any other.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Draws from the ragged end, where small numbers would come up once too often, are thrown away.
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = self.0.next_u64();
            if drawn < fair {
                return drawn % bound;
            }
        }
    }

    /// Fisher and Yates: each order as likely as any other.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Heads or tails.
    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_repeatable() {
        let draw = Draw::new(100, &[10, 5, 20], 7).unwrap();
        assert_eq!(draw, Draw::new(100, &[10, 5, 20], 7).unwrap());
        assert_ne!(draw, Draw::new(100, &[10, 5, 20], 8).unwrap());
        assert_eq!(draw.parts.iter().map(Vec::len).collect::<Vec<_>>(), [10, 5, 20]);
        let mut all: Vec<usize> = draw.parts.concat().into_iter().chain(draw.rest).collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(Draw::new(3, &[2, 2], 0), Err(DrawError { wanted: 4, total: 3 }));
    }

    #[test]
    fn the_stream_is_fixed() {
        assert_eq!(permutation(8, 1), permutation(8, 1));
        let heads = (0..64).filter(|seed| Chance::new(*seed).coin()).count();
        assert!((16..=48).contains(&heads), "{heads} of 64 coins");
    }

    #[test]
    fn groups_count_once() {
        let groups = [5, 5, 5, 2, 9, 9];
        let rows = one_of_each_group(&groups, 3);
        assert_eq!(rows.len(), 3);
        let kept: std::collections::BTreeSet<_> = rows.iter().map(|row| groups[*row]).collect();
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [2, 5, 9]);
    }
}
