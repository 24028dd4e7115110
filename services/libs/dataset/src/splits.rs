//! Dividing a data set into parts, the same on every machine for the same seed.
//!
//! Chance comes from `ChaCha8` seeded with the number given (`seed_from_u64`), whose stream is fixed for ever;
//! numbers below a bound are drawn without bias by rejection, orders by Fisher and Yates. Only whole numbers
//! are calculated with.

use std::collections::BTreeMap;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// Why a data set cannot be divided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The shares are none, or one of them is zero.
    #[error("the shares {0:?} divide nothing: give two or more positive whole numbers, such as 8 and 2")]
    Shares(Vec<u32>),
    /// There are fewer groups than parts.
    #[error("{groups} groups cannot be divided into {parts} parts: every part needs one")]
    TooFewGroups {
        /// Different groups.
        groups: usize,
        /// Parts wanted.
        parts: usize,
    },
}

impl Coded for SplitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shares(_) => ErrorCode::InvalidField,
            Self::TooFewGroups { .. } => ErrorCode::DatasetInvalid,
        }
    }
}

/// The sizes of the parts relative to each other: 8, 1, 1 are four fifths and two tenths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Shares(Vec<u32>);

impl Shares {
    /// Two or more positive shares.
    pub fn new(shares: Vec<u32>) -> Result<Self, SplitError> {
        if shares.len() < 2 || shares.contains(&0) {
            Err(SplitError::Shares(shares))
        } else {
            Ok(Self(shares))
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }
}

impl TryFrom<Vec<u32>> for Shares {
    type Error = SplitError;

    fn try_from(shares: Vec<u32>) -> Result<Self, SplitError> {
        Self::new(shares)
    }
}

impl From<Shares> for Vec<u32> {
    fn from(shares: Shares) -> Self {
        shares.0
    }
}

/// Divides rows so that each class is divided by the shares: each part gets its share of each class to
/// within one row, which rows and who gets the odd ones being drawn. Returns each part's rows, ascending.
pub fn by_class(labels: &[i64], shares: &Shares, seed: u64) -> Vec<Vec<usize>> {
    let mut chance = Chance::new(seed);
    let mut parts = vec![Vec::new(); shares.0.len()];
    let total = u128::from(shares.total());
    for (_, mut rows) in members(labels) {
        chance.shuffle(&mut rows);
        let offset = u128::from(chance.below(shares.total()));
        let (mut taken, mut cumulated) = (0, 0);
        for (part, share) in parts.iter_mut().zip(&shares.0) {
            cumulated += u128::from(*share);
            let end = ((rows.len() as u128 * cumulated + offset) / total) as usize;
            part.extend_from_slice(&rows[taken..end]);
            taken = end;
        }
    }
    sorted(parts)
}

/// Divides rows so that no group is in two parts: groups, largest first and equals in drawn order, go one by
/// one to the part that lacks most of its share. Returns each part's rows, ascending; none is empty.
pub fn by_group(groups: &[i64], shares: &Shares, seed: u64) -> Result<Vec<Vec<usize>>, SplitError> {
    let mut members: Vec<Vec<usize>> = members(groups).into_values().collect();
    let count = shares.0.len();
    if members.len() < count {
        return Err(SplitError::TooFewGroups { groups: members.len(), parts: count });
    }
    Chance::new(seed).shuffle(&mut members);
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let mut parts = vec![Vec::new(); count];
    let left = members.len();
    for (index, rows) in members.into_iter().enumerate() {
        let empty = parts.iter().filter(|part: &&Vec<usize>| part.is_empty()).count();
        let only_empty = left - index <= empty;
        let lacks = |part: usize| {
            let wanted = i128::from(shares.0[part]) * groups.len() as i128;
            wanted - i128::from(shares.total()) * parts[part].len() as i128
        };
        let eligible = (0..count).filter(|part| !only_empty || parts[*part].is_empty());
        let neediest = eligible.max_by_key(|part| (lacks(*part), std::cmp::Reverse(*part)));
        parts[neediest.unwrap_or(0)].extend(rows);
    }
    Ok(sorted(parts))
}

fn sorted(mut parts: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

/// The rows of each number, ascending in both.
fn members(numbers: &[i64]) -> BTreeMap<i64, Vec<usize>> {
    let mut members: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, number) in numbers.iter().enumerate() {
        members.entry(*number).or_default().push(row);
    }
    members
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `bound`, which must be positive, each as likely as any other.
    fn below(&mut self, bound: u64) -> u64 {
        let fair = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = self.0.next_u64();
            if drawn < fair {
                return drawn % bound;
            }
        }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
