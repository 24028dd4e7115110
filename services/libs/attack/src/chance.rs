//! Chance that is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of numbers by lot.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From zero to below one.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    pub(crate) fn level(&mut self) -> u8 {
        (self.0.next_u32() >> 24) as u8
    }

    /// A number below `bound`, which is positive, without bias.
    fn below(&mut self, bound: u64) -> u64 {
        let rest = u64::MAX % bound;
        loop {
            let number = self.0.next_u64();
            // The topmost incomplete run of numbers would favour the small ones.
            if number < u64::MAX - rest || rest == bound - 1 {
                return number % bound;
            }
        }
    }

    /// Puts `count` of the elements, drawn by lot, to the front, in drawn order (Fisher and Yates).
    pub(crate) fn draw<T>(&mut self, elements: &mut [T], count: usize) {
        for place in 0..count.min(elements.len()) {
            let left = (elements.len() - place) as u64;
            elements.swap(place, place + self.below(left) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_repeat() {
        let mut counts = [0; 3];
        let mut chance = Chance::new(1);
        for _ in 0..3000 {
            counts[chance.below(3) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        let drawn = |seed| {
            let mut elements: Vec<usize> = (0..10).collect();
            Chance::new(seed).draw(&mut elements, 4);
            elements
        };
        assert_eq!(drawn(2), drawn(2));
        assert_ne!(drawn(2), drawn(3));
    }
}
