//! What the network saw in the blended copies.

use std::collections::BTreeMap;

use crate::logits::Logits;

/// How many of the copies the network held for which class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Votes(BTreeMap<usize, usize>);

impl Votes {
    pub(crate) fn count(&mut self, answers: &Logits) {
        for row in 0..answers.rows() {
            *self.0.entry(answers.class(row)).or_default() += 1;
        }
    }

    pub(crate) fn of(answers: &Logits) -> Self {
        let mut votes = Self::default();
        votes.count(answers);
        votes
    }

    /// How many copies went to this class.
    pub fn of_class(&self, class: usize) -> usize {
        self.0.get(&class).copied().unwrap_or(0)
    }

    /// Classes and their votes, the most voted for first, equals by class.
    pub fn ranked(&self) -> Vec<(usize, usize)> {
        let mut ranked: Vec<_> = self.0.iter().map(|(class, votes)| (*class, *votes)).collect();
        ranked.sort_by_key(|(class, votes)| (std::cmp::Reverse(*votes), *class));
        ranked
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_most_voted_for_come_first() {
        let answers = array![[0.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.75]];
        let votes = Votes::of(&Logits::new(answers, 4, 3).unwrap());
        assert_eq!(votes.ranked(), [(2, 2), (0, 1), (1, 1)]);
        assert_eq!((votes.of_class(2), votes.of_class(7)), (2, 0));
    }
}
