//! STRIP's passes, read by the logit margin instead of the entropy.

use std::sync::Arc;

use crate::bank::OverlayBank;
use crate::blend::Blend;
use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward::Blends;
use crate::strip::{StripError, Votes, check_passes};

/// Minus the mean margin of y', the class the network sees in the input, over blends with the first N
/// overlays of a bank. Overlays of class y' are left out of the mean: on them any input of that class would
/// look held.
///
/// Entropies saturate and tie where one class wins clearly; margins do not.
#[derive(Debug, Clone)]
pub struct StripMargin {
    bank: Arc<OverlayBank>,
    blend: Blend,
    passes: usize,
}

impl StripMargin {
    /// The detector that blends with the first `passes` overlays.
    pub fn new(bank: Arc<OverlayBank>, blend: Blend, passes: usize) -> Result<Self, StripError> {
        check_passes(passes, bank.len())?;
        Ok(Self { bank, blend, passes })
    }
}

impl<C: Classifier + ?Sized> Detector<C> for StripMargin {
    fn passes(&self) -> Passes {
        Passes::full(self.passes)
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        let class = subject.class();
        let labels = &self.bank.labels()[..self.passes];
        let counted = labels.iter().filter(|label| **label != class).count();
        if counted == 0 {
            return Err(DetectionError::OneClass { class, overlays: self.passes });
        }
        let answers =
            Blends::of(classifier, subject.image(), &self.bank, self.blend)?.answers(0..self.passes)?;
        let margins = labels.iter().enumerate().filter(|(_, label)| **label != class);
        let sum: f64 = margins.map(|(row, _)| answers.margin(row, class)).sum();
        let votes = Some(Votes::of(&answers));
        Ok(Reading { votes, ..Reading::new(-sum / counted as f64, Passes::full(self.passes)) })
    }
}
