//! In which order images are seen, and in which company.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The images of one epoch in drawn order: a function of the seed and the number of the epoch.
pub(super) fn shuffled(images: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(epoch);
    let mut order: Vec<usize> = (0..images).collect();
    for last in (1..images).rev() {
        order.swap(last, below(&mut chance, last as u64 + 1) as usize);
    }
    order
}

/// A number below `bound`, which must be positive, each as likely as any other.
fn below(chance: &mut ChaCha8Rng, bound: u64) -> u64 {
    // Draws from the ragged end, where small numbers would come up once too often, are thrown away.
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = chance.next_u64();
        if drawn < fair {
            return drawn % bound;
        }
    }
}

/// The batches of an epoch. The last one has what is left over; a single image left over joins the batch before
/// it where `company` says that one image alone will not do.
pub(super) fn batches(images: usize, batch: usize, company: bool) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> =
        (0..images).step_by(batch).map(|start| start..images.min(start + batch)).collect();
    if company && batches.len() > 1 && batches.last().is_some_and(|last| last.len() == 1) {
        batches.pop();
        if let Some(last) = batches.last_mut() {
            last.end = images;
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_functions_of_seed_and_epoch() {
        let order = shuffled(100, 1, 0);
        assert_eq!(order, shuffled(100, 1, 0));
        assert_ne!(order, shuffled(100, 1, 1));
        assert_ne!(order, shuffled(100, 2, 0));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_is_left_alone() {
        assert_eq!(batches(7, 3, false), [0..3, 3..6, 6..7]);
        assert_eq!(batches(7, 3, true), [0..3, 3..7]);
        assert_eq!(batches(8, 3, true), [0..3, 3..6, 6..8]);
        assert_eq!(batches(7, 6, true), batches(7, 7, true));
    }
}
