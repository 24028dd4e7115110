//! Which settings of the tuning are tried, and which of them is taken.
//!
//! Held-out clean accuracy alone would always take the settings that change least, which repair nothing. So they
//! are tried in the order of their strength, and the first whose accuracy stays within the limit is taken. How
//! strong a learning rate is depends on the network (one that takes raw pixels wants a hundredth of what others
//! want), so the list goes far down; most searches end early in it. Triggered images have no say.

use gifthorse_defence::level::Share;
use gifthorse_training::{Recipe, Schedule};

use super::settings::{Method, Settings};

/// Learning rates that are tried, the strongest first.
const LEARNING_RATES: [f64; 8] = [0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6];
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

/// All candidates, the strongest first; none where nothing is tuned.
pub(super) fn candidates(settings: &Settings) -> Vec<Candidate> {
    let tuning = settings.tuning;
    let rates = tuning.learning_rate.map_or(LEARNING_RATES.to_vec(), |rate| vec![rate]);
    let radii = match settings.method {
        Method::None => return Vec::new(),
        Method::Ft => vec![None],
        Method::FtSam => match tuning.sharpness_radius {
            Some(radius) => vec![Some(radius)],
            None => RADII.map(Some).to_vec(),
        },
    };
    let pairs = rates.into_iter().flat_map(|rate| radii.iter().map(move |radius| (rate, *radius)));
    pairs.map(|(rate, radius)| candidate(settings, rate, radius)).collect()
}

fn candidate(settings: &Settings, rate: f64, radius: Option<f64>) -> Candidate {
    let tuning = settings.tuning;
    let (name, recipe) = match radius {
        None => {
            let schedule = Schedule::Cosine { epochs: f64::from(settings.epochs), left: 0.0 };
            (format!("learning rate {rate}"), Recipe { schedule, ..Recipe::sgd(rate) })
        }
        Some(radius) => {
            (format!("learning rate {rate}, radius {radius}"), Recipe::ft_sam(rate, radius, settings.epochs))
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
        candidates(&Settings::read(&specification).unwrap())
    }

    #[test]
    fn what_is_given_is_not_searched() {
        assert_eq!(of(FineTuning::NoFineTuning, &[]), []);
        assert_eq!(of(FineTuning::Ft, &[]).len(), 8);
        let one = of(FineTuning::Ft, &[("learning_rate", 0.02), ("batch", 8.0)]);
        assert_eq!((one.len(), one[0].recipe.batch.get(), one[0].recipe.seed), (1, 8, 9));
        assert_eq!(of(FineTuning::FtSam, &[]).len(), 16);
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
