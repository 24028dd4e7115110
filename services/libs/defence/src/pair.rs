//! Two networks of the same classes asked about one input: the one that is watched, and one that was made of it.
//!
//! Where a repaired network B' and its suspect B part, a trigger may be at work; where an expert that was made to
//! forget the task still agrees with B, only the backdoor can be what they agree about (BaDExpert, ICLR 2024).

use ndarray::{Array2, Array4, ArrayView1, Axis};

use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::logits::Logits;
use crate::strip::Votes;

/// Keeps the quotients of the expert's score finite, as published.
const LEAST: f64 = 1e-8;

/// A network beside the one that is watched, of the same inputs and classes.
pub trait Companion<C: Classifier + ?Sized>: Send + Sync {
    /// Its logits or log-probabilities `[N, M]` of prepared inputs, in a run that ends when the watched one's does.
    fn logits(&self, watched: &C, inputs: Array4<f32>) -> Result<Array2<f32>, C::Error>;
}

/// `softmax(B'(x))[argmax B(x)]`: how much the repaired network holds of the suspect's answer.
///
/// A graded score and not the raw `B != B'`: a repaired network errs on clean inputs, too, and how many may be
/// rejected is for a calibration to say.
#[derive(Debug, Clone)]
pub struct Disagreement<N> {
    repaired: N,
}

impl<N> Disagreement<N> {
    /// The detector for a suspect that this network was made of.
    pub const fn new(repaired: N) -> Self {
        Self { repaired }
    }
}

impl<C: Classifier + ?Sized, N: Companion<C>> Detector<C> for Disagreement<N> {
    fn passes(&self) -> Passes {
        Passes::full(1)
    }

    /// The votes are the repaired network's: one, for its class.
    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        let answers = asked(&self.repaired, classifier, subject)?;
        let score = probability(answers.row(0), subject.class());
        Ok(Reading { votes: Some(Votes::of(&answers)), ..Reading::new(score, Passes::full(1)) })
    }
}

/// The backdoor expert: a copy of the suspect that forgot the task and kept the backdoor, with a repaired network
/// beside it or without one.
#[derive(Debug, Clone)]
pub struct Expert<N> {
    expert: N,
    repaired: Option<N>,
}

impl<N> Expert<N> {
    /// The detector by an expert, and by a repaired network where a verified one exists.
    pub const fn new(expert: N, repaired: Option<N>) -> Self {
        Self { expert, repaired }
    }

    fn rows(&self) -> usize {
        1 + usize::from(self.repaired.is_some())
    }
}

impl<C: Classifier + ?Sized, N: Companion<C>> Detector<C> for Expert<N> {
    fn passes(&self) -> Passes {
        Passes::full(self.rows())
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        let of = |network: &N| {
            let answers = asked(network, classifier, subject)?;
            Ok::<_, DetectionError<C::Error>>(probability(answers.row(0), subject.class()))
        };
        let repaired = self.repaired.as_ref().map(of).transpose()?;
        Ok(Reading::new(expert_score(of(&self.expert)?, repaired), Passes::full(self.rows())))
    }
}

/// `min(2y / x, (1 - x) / (1/2 - y))` of what expert (x) and repaired network (y) hold of the suspect's answer; with
/// the expert alone, `1 - x`. Low = trojaned.
fn expert_score(expert: f64, repaired: Option<f64>) -> f64 {
    let Some(repaired) = repaired else { return 1.0 - expert };
    (2.0 * repaired / expert.max(LEAST)).min((1.0 - expert) / (0.5 - repaired).max(LEAST))
}

fn asked<C: Classifier + ?Sized, N: Companion<C>>(
    network: &N,
    classifier: &C,
    subject: &Subject,
) -> Result<Logits, DetectionError<C::Error>> {
    let image = subject.image().insert_axis(Axis(0)).to_owned();
    let values = network.logits(classifier, image).map_err(DetectionError::Classifier)?;
    Ok(Logits::new(values, 1, classifier.classes())?)
}

/// Softmax of a row at one class, in double precision; of log-probabilities, the probability.
pub(crate) fn probability(row: ArrayView1<'_, f32>, class: usize) -> f64 {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let part = |logit: f32| f64::from(logit - highest).exp();
    let sum: f64 = row.iter().copied().map(part).sum();
    part(row[class]) / sum
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn probabilities_are_of_logits_and_log_probabilities_alike() {
        let logits = array![1000.0_f32, 1001.0, 990.0];
        let expected = 1.0 / (1.0 + (-1.0_f64).exp() + (-11.0_f64).exp());
        assert!((probability(logits.view(), 1) - expected).abs() < 1e-12);
        let shifted = logits.mapv(|logit| logit - 1001.5);
        assert!((probability(shifted.view(), 1) - expected).abs() < 1e-12);
    }

    #[test]
    fn an_expert_that_agrees_is_an_alarm() {
        // Clean: the expert forgot the class, the repaired network knows it.
        assert!(expert_score(0.01, Some(0.9)) > 100.0);
        // Trojaned: the other way about.
        assert!(expert_score(0.99, Some(0.01)) < 0.03);
        // Neither knows it: a hard clean input is no alarm.
        assert!(expert_score(1e-12, Some(1e-12)) > 1e-4);
        assert!((expert_score(0.75, None) - 0.25).abs() < 1e-12);
        for (expert, repaired) in [(0.0, 0.0), (1.0, 1.0), (1.0, 0.5), (0.0, 1.0)] {
            assert!(expert_score(expert, Some(repaired)).is_finite());
        }
    }
}
