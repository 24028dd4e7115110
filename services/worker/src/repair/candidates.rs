//! Which settings of the tuning are tried, and which of them is taken.
//!
//! Held-out clean accuracy alone would always take the settings that change least, which repair nothing. So the
//! candidates stand in the order of their strength, and the first one whose accuracy stays within the limit is
//! taken; where none does, the one with the highest. Triggered images have no say.

use gifthorse_defence::level::Share;
use gifthorse_training::{Recipe, Schedule};

use super::settings::{Method, Settings};

/// Learning rates that are tried, the strongest first.
const LEARNING_RATES: [f64; 3] = [0.01, 0.003, 0.001];
/// Learning rates and radii of FT-SAM that are tried. Published radii of 2 and 8 diverge on small networks.
const SHARP: [(f64, f64); 4] = [(0.01, 2.0), (0.01, 0.5), (0.003, 2.0), (0.003, 0.5)];

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
    let rates: Vec<(f64, Option<f64>)> = match settings.method {
        Method::None | Method::Invert => Vec::new(),
        Method::Ft => match tuning.learning_rate {
            Some(rate) => vec![(rate, None)],
            None => LEARNING_RATES.map(|rate| (rate, None)).to_vec(),
        },
        Method::FtSam => {
            let mut pairs: Vec<(f64, f64)> = SHARP
                .iter()
                .map(|(rate, radius)| {
                    (tuning.learning_rate.unwrap_or(*rate), tuning.sharpness_radius.unwrap_or(*radius))
                })
                .collect();
            pairs.dedup();
            // What is given leaves pairs twice that were different in it alone.
            let mut different: Vec<(f64, Option<f64>)> = Vec::new();
            for (rate, radius) in pairs {
                if !different.contains(&(rate, Some(radius))) {
                    different.push((rate, Some(radius)));
                }
            }
            different
        }
    };
    rates.into_iter().map(|(rate, radius)| candidate(settings, rate, radius)).collect()
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

/// How a candidate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Score {
    /// Its number.
    pub(super) candidate: usize,
    /// Scoring images it answers correctly.
    pub(super) correct: usize,
}

/// Whether a candidate is to be preferred to the best so far, which is of a lower number: it is within the limit
/// and the other is not, or neither is and it is more accurate.
pub(super) fn is_better(
    score: Score,
    best: Option<Score>,
    before: usize,
    images: usize,
    limit: Share,
) -> bool {
    let within = |score: Score| {
        let (numerator, denominator) = limit.ratio();
        let fallen = before as i128 - score.correct as i128;
        fallen * i128::from(denominator) <= i128::from(numerator) * images as i128
    };
    match best {
        None => true,
        Some(best) => !within(best) && (within(score) || score.correct > best.correct),
    }
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
        assert_eq!(of(FineTuning::Ft, &[]).len(), 3);
        let one = of(FineTuning::Ft, &[("learning_rate", 0.02), ("batch", 8.0)]);
        assert_eq!((one.len(), one[0].recipe.batch.get(), one[0].recipe.seed), (1, 8, 9));
        assert_eq!(of(FineTuning::FtSam, &[]).len(), 4);
        assert_eq!(of(FineTuning::FtSam, &[("learning_rate", 0.02)]).len(), 2);
        let one = of(FineTuning::FtSam, &[("learning_rate", 0.02), ("sharpness_radius", 1.0)]);
        assert_eq!(
            one.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["learning rate 0.02, radius 1"]
        );
        assert_eq!(one[0].recipe.sharpness_radius, Some(1.0));
    }

    #[test]
    fn the_strongest_within_the_limit_is_taken() {
        let limit: Share = "0.04".parse().unwrap();
        let taken = |correct: &[usize]| {
            let mut best = None;
            for (candidate, correct) in correct.iter().copied().enumerate() {
                let score = Score { candidate, correct };
                if is_better(score, best, 100, 100, limit) {
                    best = Some(score);
                }
            }
            best.unwrap().candidate
        };
        assert_eq!(taken(&[80, 96, 99]), 1, "96 of 100 is a drop of 4 points, no more");
        assert_eq!(taken(&[97, 96, 99]), 0);
        assert_eq!(taken(&[80, 95, 90]), 1, "none is within the limit: the most accurate");
    }
}
