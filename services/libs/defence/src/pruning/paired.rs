//! Accuracy before and after, on the same images.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::evaluation::Proportion;
use crate::level::Level;

/// The counts are not those of one set of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{lost} lost and {gained} gained of {before} correct among {images} images cannot be: count the same images \
     before and after, at least one"
)]
pub struct PairedError {
    /// Images.
    pub images: usize,
    /// Correct before.
    pub before: usize,
    /// Correct before and not after.
    pub lost: usize,
    /// Correct after and not before.
    pub gained: usize,
}

impl Coded for PairedError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}

/// How many images a network answers correctly before and after a repair, image by image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct PairedAccuracy {
    before: Proportion,
    lost: Proportion,
    gained: usize,
}

#[derive(Serialize, Deserialize)]
struct Counts {
    images: usize,
    before: usize,
    lost: usize,
    gained: usize,
}

impl PairedAccuracy {
    /// Counts answers to the same images; true for a correct one.
    pub fn of(answers: impl IntoIterator<Item = (bool, bool)>) -> Result<Self, PairedError> {
        let (mut images, mut before, mut lost, mut gained) = (0, 0, 0, 0);
        for (was, is) in answers {
            images += 1;
            before += usize::from(was);
            lost += usize::from(was && !is);
            gained += usize::from(is && !was);
        }
        Self::new(images, before, lost, gained)
    }

    /// Of `images`, `before` were correct, `lost` of those no more are, and `gained` others are now.
    pub fn new(images: usize, before: usize, lost: usize, gained: usize) -> Result<Self, PairedError> {
        let fault = PairedError { images, before, lost, gained };
        if lost > before || gained > images.saturating_sub(before) {
            return Err(fault);
        }
        let before = Proportion::new(before, images).map_err(|_| fault)?;
        let lost = Proportion::new(lost, images).map_err(|_| fault)?;
        Ok(Self { before, lost, gained })
    }

    /// Correct before.
    pub const fn before(self) -> Proportion {
        self.before
    }

    /// Correct after, how many.
    pub const fn correct_after(self) -> usize {
        self.before.count() - self.lost.count() + self.gained
    }

    /// Correct before and not after.
    pub const fn lost(self) -> Proportion {
        self.lost
    }

    /// Correct after and not before.
    pub const fn gained(self) -> usize {
        self.gained
    }

    /// By how much the accuracy fell, in points of 1; negative where it rose.
    pub fn drop(self) -> f64 {
        (self.lost.count() as f64 - self.gained as f64) / self.before.total() as f64
    }

    /// A bound that the true drop is above with probability `doubt` at most: Clopper and Pearson's upper bound
    /// of the rate of lost images.
    ///
    /// The drop is the rate of lost images less that of gained ones, so a bound of the first bounds it too.
    /// Gains are not set off: a repair that breaks some images and mends others has broken some.
    pub fn drop_bound(self, doubt: Level) -> f64 {
        self.lost.upper_bound(doubt)
    }
}

impl TryFrom<Counts> for PairedAccuracy {
    type Error = PairedError;

    fn try_from(counts: Counts) -> Result<Self, PairedError> {
        Self::new(counts.images, counts.before, counts.lost, counts.gained)
    }
}

impl From<PairedAccuracy> for Counts {
    fn from(paired: PairedAccuracy) -> Self {
        Self {
            images: paired.before.total(),
            before: paired.before.count(),
            lost: paired.lost.count(),
            gained: paired.gained,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_counted_in_pairs() {
        let pairs = [(true, true), (true, false), (false, true), (false, false), (true, false)];
        let paired = PairedAccuracy::of(pairs).unwrap();
        assert_eq!(paired, PairedAccuracy::new(5, 3, 2, 1).unwrap());
        assert_eq!((paired.before().count(), paired.correct_after()), (3, 2));
        assert!((paired.drop() - 0.2).abs() < 1e-15);
        let text = serde_json::to_string(&paired).unwrap();
        assert_eq!(text, r#"{"images":5,"before":3,"lost":2,"gained":1}"#);
        assert_eq!(serde_json::from_str::<PairedAccuracy>(&text).unwrap(), paired);
        assert!(PairedAccuracy::of([]).is_err());
        assert!(PairedAccuracy::new(5, 3, 4, 0).is_err());
        assert!(PairedAccuracy::new(5, 3, 0, 3).is_err());
    }

    #[test]
    fn known_bound() {
        let nothing_lost = PairedAccuracy::new(74, 71, 0, 0).unwrap();
        let bound = nothing_lost.drop_bound("0.05".parse().unwrap());
        assert!((bound - (1.0 - 0.05_f64.powf(1.0 / 74.0))).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_bound_is_no_less_than_the_drop(pairs in prop::collection::vec(any::<(bool, bool)>(), 1..200)) {
            let paired = PairedAccuracy::of(pairs.iter().copied()).unwrap();
            prop_assert_eq!(paired.correct_after(), pairs.iter().filter(|(_, is)| *is).count());
            prop_assert!(paired.drop_bound("0.05".parse().unwrap()) >= paired.drop());
        }
    }
}
