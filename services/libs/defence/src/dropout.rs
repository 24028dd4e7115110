//! Channel dropout: switch off half of a layer's channels and see whether the answer holds.

use std::num::NonZeroUsize;

use ndarray::{Array2, Axis};

use crate::classifier::SplitClassifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::draw::Chance;
use crate::forward;
use crate::input::PlaneShape;
use crate::mask::thinned;

/// Minus the mean margin of y' over fixed masks of the channels at the cut, each channel being kept (and
/// doubled, which leaves the mean of the layer as it is) or dropped by the toss of a coin.
///
/// A backdoor hangs on few channels that shout, and what is left of them still does; honest evidence is
/// spread thin. Assumes nothing about where a trigger sits. One prefix pass and one suffix pass a mask.
#[derive(Debug, Clone)]
pub struct ChannelDropout {
    plane: PlaneShape,
    /// `[masks, channels]`, 0 or 2.
    masks: Array2<f32>,
}

impl ChannelDropout {
    /// The detector for activations of this shape with this many masks (20 as a rule), drawn by the seed.
    pub fn new(plane: PlaneShape, masks: NonZeroUsize, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let drawn = Array2::from_shape_simple_fn((masks.get(), plane.channels), || {
            if chance.coin() { 2.0 } else { 0.0 }
        });
        Self { plane, masks: drawn }
    }
}

impl<C: SplitClassifier + ?Sized> Detector<C> for ChannelDropout {
    fn passes(&self) -> Passes {
        Passes { full: 0, prefix: 1, suffix: self.masks.nrows() }
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        forward::check_activation(classifier, self.plane)?;
        let own = forward::prefix(classifier, subject.image().insert_axis(Axis(0)))?;
        let copies = thinned(own.index_axis(Axis(0), 0), self.plane, &self.masks);
        let answers = forward::suffix(classifier, copies)?;
        let rows = answers.rows();
        let sum: f64 = (0..rows).map(|row| answers.margin(row, subject.class())).sum();
        let passes = Passes { full: 0, prefix: 1, suffix: rows };
        Ok(Reading::new(-sum / rows as f64, passes))
    }
}
