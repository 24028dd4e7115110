//! STRIP's own score: the mean entropy of the network's answers to blended copies.

use std::sync::Arc;

use ndarray::ArrayView3;

use crate::bank::OverlayBank;
use crate::blend::Blend;
use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward::Blends;
use crate::logits::Logits;
use crate::sequential::{Looks, Running, StopRule, Stopped};
use crate::strip::{StripError, Votes, check_passes};

/// The mean entropy, in bits, of the answers to the blends with the first N overlays of a bank, in order.
///
/// Entropies are never negative, which is what curtailment and early rejection rest on.
#[derive(Debug, Clone)]
pub struct StripEntropy {
    bank: Arc<OverlayBank>,
    blend: Blend,
    looks: Looks,
}

/// What came of a scan that may stop before the last pass.
#[derive(Debug, Clone, PartialEq)]
pub struct StripScan {
    /// Verdict, score or bound, and passes used.
    pub stopped: Stopped,
    /// What the network saw in the copies made.
    pub votes: Votes,
}

impl StripEntropy {
    /// The detector that takes as many passes as the last of the looks says.
    pub fn new(bank: Arc<OverlayBank>, blend: Blend, looks: Looks) -> Result<Self, StripError> {
        check_passes(looks.total(), bank.len())?;
        Ok(Self { bank, blend, looks })
    }

    /// Where the score can be looked at before all passes are done.
    pub const fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Scores an input under a rule that may stop early. The network's own answer to the input is not needed.
    pub fn scan<C: Classifier + ?Sized>(
        &self,
        classifier: &C,
        image: ArrayView3<'_, f32>,
        rule: &StopRule,
    ) -> Result<StripScan, DetectionError<C::Error>> {
        let total = self.looks.total();
        if let StopRule::EarlyRejection(rule) = rule
            && rule.passes() != total
        {
            return Err(DetectionError::ForeignRule { fitted: rule.passes(), passes: total });
        }
        let blends = Blends::of(classifier, image, &self.bank, self.blend)?;
        let (mut running, mut votes) = (Running::default(), Votes::default());
        loop {
            let until = rule.next_check(&running, total);
            let answers = blends.answers(running.taken()..until)?;
            votes.count(&answers);
            entropies(&answers).for_each(|entropy| running.push(entropy));
            if let Some(stopped) = rule.check(&running, total) {
                return Ok(StripScan { stopped, votes });
            }
        }
    }
}

impl<C: Classifier + ?Sized> Detector<C> for StripEntropy {
    fn passes(&self) -> Passes {
        Passes::full(self.looks.total())
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        let blends = Blends::of(classifier, subject.image(), &self.bank, self.blend)?;
        let answers = blends.answers(0..self.looks.total())?;
        let mut running = Running::default();
        let mut prefix_means = Vec::new();
        for entropy in entropies(&answers) {
            running.push(entropy);
            if self.looks.contains(running.taken()) {
                prefix_means.push(running.mean());
            }
        }
        let passes = Passes::full(running.taken());
        let votes = Some(Votes::of(&answers));
        Ok(Reading { prefix_means, votes, ..Reading::new(running.mean(), passes) })
    }
}

fn entropies(answers: &Logits) -> impl Iterator<Item = f64> {
    (0..answers.rows()).map(|row| answers.entropy_bits(row))
}
