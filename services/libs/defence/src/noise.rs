//! Noise consistency: does the answer survive noise under which clean answers fall?

use ndarray::{Array2, Axis};

use crate::bank::OverlayBank;
use crate::classifier::SplitClassifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::draw::Chance;
use crate::forward;
use crate::input::PlaneShape;
use crate::mask::thinned;
use crate::pair::probability;

/// Masks, as published for networks without normalisation.
const MASKS: usize = 3;
/// Share of clean answers that the noise shall move.
const MOVED: f64 = 0.8;
/// Shares of the channels that may be dropped, in percent: the first that moves enough is taken, else the last.
const RATES: [u64; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];

/// `p(y' | x) - mean_j p_j(y' | x)` over fixed masks of the channels at the cut, the share of dropped channels being
/// chosen so that most clean answers change. What hangs on a trigger stays as sure as it was: low = trojaned.
///
/// Prediction shift uncertainty (PSBD, CVPR 2025) with masks that are drawn once. One prefix pass and one suffix
/// pass a mask.
#[derive(Debug, Clone)]
pub struct NoiseConsistency {
    plane: PlaneShape,
    /// `[masks, channels]`.
    masks: Array2<f32>,
}

impl NoiseConsistency {
    /// The detector whose noise moves the answers to the clean images of a bank. Runs the bank.
    pub fn fit<C: SplitClassifier + ?Sized>(
        classifier: &C,
        bank: &OverlayBank,
        seed: u64,
    ) -> Result<Self, DetectionError<C::Error>> {
        let plane = classifier.activation_shape();
        let mut chance = Chance::new(seed);
        let places = Array2::from_shape_simple_fn((MASKS, plane.channels), || chance.below(100));
        let mut fitted = Self { plane, masks: Array2::ones((MASKS, plane.channels)) };
        let activations = forward::prefix(classifier, bank.images())?;
        let own = forward::suffix(classifier, activations.clone())?;
        for rate in RATES {
            let kept = 100.0 / (100 - rate) as f32;
            fitted.masks = places.mapv(|place| if place < rate { 0.0 } else { kept });
            let mut moved = 0;
            for (row, activation) in activations.axis_iter(Axis(0)).enumerate() {
                let answers = forward::suffix(classifier, thinned(activation, plane, &fitted.masks))?;
                moved += (0..MASKS).filter(|mask| answers.class(*mask) != own.class(row)).count();
            }
            if moved as f64 >= MOVED * (MASKS * own.rows()) as f64 {
                break;
            }
        }
        Ok(fitted)
    }
}

impl<C: SplitClassifier + ?Sized> Detector<C> for NoiseConsistency {
    fn passes(&self) -> Passes {
        Passes { full: 0, prefix: 1, suffix: MASKS }
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        forward::check_activation(classifier, self.plane)?;
        let own = forward::prefix(classifier, subject.image().insert_axis(Axis(0)))?;
        let answers =
            forward::suffix(classifier, thinned(own.index_axis(Axis(0), 0), self.plane, &self.masks))?;
        let noisy: f64 = (0..MASKS).map(|mask| probability(answers.row(mask), subject.class())).sum();
        let score = probability(subject.answer().view(), subject.class()) - noisy / MASKS as f64;
        Ok(Reading::new(score, Detector::<C>::passes(self)))
    }
}
