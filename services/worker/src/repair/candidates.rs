//! Which settings of the tuning are tried, and which of them is taken.
//!
//! Held-out clean accuracy alone would always take the settings that change least, which repair nothing. So they
//! are tried in the order of their strength, and the first whose accuracy stays within the limit is taken. How
//! strong a learning rate is depends on the network (one that takes raw pixels wants a hundredth of what others
//! want), so the list goes far down; most searches end early in it. Triggered images have no say.

use gifthorse_defence::level::Share;
use gifthorse_network::surgery::OutputLayer;
use gifthorse_training::{FeatureShift, Recipe, Schedule};

use super::settings::{Method, Settings};

/// Learning rates that are tried, the strongest first.
const LEARNING_RATES: [f64; 8] = [0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6];
/// Strengths of the feature shift that are tried with each of them, as published.
const STRENGTHS: [f64; 2] = [0.2, 0.1];
/// Radii of FT-SAM that are tried with each of them. Published radii of 2 and 8 diverge on small networks.
const RADII: [f64; 2] = [2.0, 0.5];

/// Settings of one training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// Name for people.
    pub(super) name: String,
    /// The settings.
    pub(super) recipe: Recipe,
}

/// What a method sets beside the learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Beside {
    Nothing,
    Radius(f64),
    Strength(f64),
}

/// All candidates, the strongest first; none where nothing is tuned. `head` is the output layer of the network, which
/// feature shift tuning draws anew.
pub(super) fn candidates(settings: &Settings, head: Option<&OutputLayer>) -> Vec<Candidate> {
    let tuning = settings.tuning;
    let rates = tuning.learning_rate.map_or(LEARNING_RATES.to_vec(), |rate| vec![rate]);
    let or = |given: Option<f64>, list: [f64; 2]| given.map_or(list.to_vec(), |given| vec![given]);
    let beside: Vec<Beside> = match settings.method {
        Method::None | Method::Invert => return Vec::new(),
        Method::Ft => vec![Beside::Nothing],
        Method::FtSam => or(tuning.sharpness_radius, RADII).into_iter().map(Beside::Radius).collect(),
        Method::Fst => or(tuning.shift_strength, STRENGTHS).into_iter().map(Beside::Strength).collect(),
    };
    let head = head.and_then(|head| head.tensors.first()).map_or("", String::as_str);
    let pairs = rates.into_iter().flat_map(|rate| beside.iter().map(move |beside| (rate, *beside)));
    pairs.map(|(rate, beside)| candidate(settings, rate, beside, head)).collect()
}

fn candidate(settings: &Settings, rate: f64, beside: Beside, head: &str) -> Candidate {
    let (tuning, epochs) = (settings.tuning, settings.epochs);
    let (name, recipe) = match beside {
        Beside::Nothing => {
            let schedule = Schedule::Cosine { epochs: f64::from(epochs), left: 0.0 };
            (format!("learning rate {rate}"), Recipe { schedule, ..Recipe::sgd(rate) })
        }
        Beside::Radius(radius) => {
            (format!("learning rate {rate}, radius {radius}"), Recipe::ft_sam(rate, radius, epochs))
        }
        Beside::Strength(strength) => {
            let shift = FeatureShift { head: head.to_owned(), strength };
            let name = format!("learning rate {rate}, strength {strength}");
            (name, Recipe::feature_shift(rate, shift, epochs))
        }
    };
    let recipe = Recipe {
        batch: tuning.batch(),
        seed: settings.seed,
        label_smoothing: tuning.label_smoothing.unwrap_or(recipe.label_smoothing),
        weight_decay: tuning.weight_decay.unwrap_or(recipe.weight_decay),
        ..recipe
    };
    Candidate { name, recipe }
}

/// Whether so many correct answers stay within the limit of a drop from those before.
pub(super) fn is_within(correct: usize, before: usize, images: usize, limit: Share) -> bool {
    let (numerator, denominator) = limit.ratio();
    let fallen = before as i128 - correct as i128;
    fallen * i128::from(denominator) <= i128::from(numerator) * images as i128
}

/// Whether a training is lost in its midst: no schedule brings back a network that forgot half of what it knew.
pub(super) const fn is_lost(correct: usize, before: usize) -> bool {
    2 * correct < before
}

#[cfg(test)]
mod tests {
    use gifthorse_api::v1;
    use gifthorse_api::v1::pruning_specification::FineTuning;

    use super::*;

    fn of(method: FineTuning, parameters: &[(&str, f64)]) -> Vec<Candidate> {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let specification = v1::PruningSpecification {
            fine_tuning: method.into(),
            parameters,
            seed: 9,
            ..Default::default()
        };
        candidates(&Settings::read(&specification).unwrap(), None)
    }

    #[test]
    fn what_is_given_is_not_searched() {
        assert_eq!(of(FineTuning::NoFineTuning, &[]), []);
        assert_eq!(of(FineTuning::Ft, &[]).len(), 8);
        let one = of(FineTuning::Ft, &[("learning_rate", 0.02), ("batch", 8.0)]);
        assert_eq!((one.len(), one[0].recipe.batch.get(), one[0].recipe.seed), (1, 8, 9));
        assert_eq!((of(FineTuning::FtSam, &[]).len(), of(FineTuning::Fst, &[]).len()), (16, 16));
        assert_eq!(of(FineTuning::Fst, &[("learning_rate", 0.01), ("shift_strength", 0.3)]).len(), 1);
        assert_eq!(of(FineTuning::FtSam, &[("learning_rate", 0.02)]).len(), 2);
        let one = of(FineTuning::FtSam, &[("learning_rate", 0.02), ("sharpness_radius", 1.0)]);
        assert_eq!(
            one.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["learning rate 0.02, radius 1"]
        );
        assert_eq!(one[0].recipe.sharpness_radius, Some(1.0));
    }

    #[test]
    fn limits_are_whole_numbers() {
        let limit: Share = "0.04".parse().unwrap();
        assert!(is_within(96, 100, 100, limit), "a drop of 4 points is no more than 4 points");
        assert!(!is_within(95, 100, 100, limit));
        assert!(is_within(100, 90, 100, limit));
        assert!(is_lost(44, 89) && !is_lost(45, 89));
    }
}
