//! What thresholds promise, kept on five laws of entropies whose false rejection rate is known exactly.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod toy;

use gifthorse_defence::Level;
use gifthorse_defence::conformal::{CalibrationScores, Guarantee, NormalFit};
use rand_chacha::ChaCha8Rng;
use toy::{chance, uniform};

const CALIBRATIONS: usize = 200;

/// A law of scores, by its quantile function and the chance of a score strictly below a threshold.
struct Law {
    name: &'static str,
    quantile: fn(f64) -> f64,
    below: fn(f64) -> f64,
    /// Into how many steps a law on a lattice divides 0..1.
    lattice: Option<usize>,
}

const SPIKE: f64 = 0.05;
const STEPS: usize = 400;

const LAWS: [Law; 5] = [
    Law {
        name: "skewed to the right",
        quantile: |u| -(-u).ln_1p(),
        below: |t| if t > 0.0 { -(-t).exp_m1() } else { 0.0 },
        lattice: None,
    },
    Law {
        name: "skewed to the left",
        quantile: |u| u.sqrt().sqrt(),
        below: |t| t.clamp(0.0, 1.0).powi(4),
        lattice: None,
    },
    Law {
        name: "mixed",
        quantile: |u| if u < 0.2 { u * 5.0 } else { 2.0 + (u - 0.2) * 1.25 },
        below: |t| 0.2 * t.clamp(0.0, 1.0) + 0.8 * (t - 2.0).clamp(0.0, 1.0),
        lattice: None,
    },
    Law {
        name: "spiked at zero",
        quantile: |u| if u < SPIKE { 0.0 } else { -((1.0 - u) / (1.0 - SPIKE)).ln() },
        below: |t| if t > 0.0 { SPIKE - (1.0 - SPIKE) * (-t).exp_m1() } else { 0.0 },
        lattice: None,
    },
    Law {
        name: "tied on a lattice",
        quantile: |u| (STEPS as f64 * u * u).floor() / STEPS as f64,
        below: |t| ((t * STEPS as f64).round() / STEPS as f64).clamp(0.0, 1.0).sqrt(),
        lattice: Some(STEPS),
    },
];

impl Law {
    fn calibration(&self, size: usize, chance: &mut ChaCha8Rng) -> CalibrationScores {
        CalibrationScores::new((0..size).map(|_| (self.quantile)(uniform(chance))).collect()).unwrap()
    }

    /// The false rejection rates of so many thresholds, each calibrated anew.
    fn rejection_rates(&self, size: usize, level: Level, guarantee: Guarantee, seed: u64) -> Vec<f64> {
        let mut chance = chance(seed);
        let rate = |_| {
            let threshold =
                self.calibration(size, &mut chance).threshold(level, guarantee).unwrap().threshold;
            (self.below)(threshold.value())
        };
        (0..CALIBRATIONS).map(rate).collect()
    }

    /// The exact mean and standard deviation of the false rejection rate with the k-th smallest of m as
    /// threshold.
    fn rate_law(&self, rank: usize, size: usize) -> (f64, f64) {
        let (k, m) = (rank as f64, size as f64);
        let (mean, square) = (k / (m + 1.0), k * (k + 1.0) / ((m + 1.0) * (m + 2.0)));
        let (mean, square) = if let Some(steps) = self.lattice {
            // The threshold is step j just when k scores lie at or below it, but not at or below the one
            // before.
            let rate = |step: usize| (self.below)(step as f64 / steps as f64);
            let reached = |step: usize| 1.0 - fewer_than(rank, size, rate(step));
            let moment = |power: i32| -> f64 {
                (0..steps).map(|step| (reached(step + 1) - reached(step)) * rate(step).powi(power)).sum()
            };
            (moment(1), moment(2))
        } else if self.name == "spiked at zero" {
            // A threshold in the spike rejects nothing; above it the rate is U, the k-th smallest of m
            // uniforms, with E[U; U > s] = E[U] P(Binomial(m + 1, s) < k + 1), and so on for the square.
            (mean * fewer_than(rank + 1, size + 1, SPIKE), square * fewer_than(rank + 2, size + 2, SPIKE))
        } else {
            (mean, square)
        };
        (mean, (square - mean * mean).max(0.0).sqrt())
    }
}

/// P(Binomial(trials, share) < count).
fn fewer_than(count: usize, trials: usize, share: f64) -> f64 {
    if share >= 1.0 {
        return 0.0;
    }
    let mut term = (trials as f64 * (-share).ln_1p()).exp();
    let mut sum = 0.0;
    for hits in 0..count {
        sum += term;
        term *= (trials - hits) as f64 / (hits + 1) as f64 * share / (1.0 - share);
    }
    sum
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_marginal_rule_keeps_its_level_on_average() {
    for (seed, law) in (0..).zip(&LAWS) {
        for (size, level) in [(299, "0.01"), (99, "0.01"), (250, "0.05"), (299, "0.1")] {
            let level: Level = level.parse().unwrap();
            let rank = level.rank(size);
            let found = mean(&law.rejection_rates(size, level, Guarantee::Marginal, 100 + seed));
            let (due, deviation) = law.rate_law(rank, size);
            let slack = 3.0 * deviation / (CALIBRATIONS as f64).sqrt();
            assert!((found - due).abs() <= slack, "{}, m {size}: {found} where {due} is due", law.name);
            let most = rank as f64 / (size + 1) as f64;
            assert!(
                due <= most + 1e-12 && found <= most + slack,
                "{}, m {size}: {found} above {most}",
                law.name
            );
            let ties_matter = law.lattice.is_some() || (law.name == "spiked at zero" && rank < 20);
            assert!(ties_matter || (due - most).abs() < 1e-3 * most, "{} uses its level up", law.name);
        }
    }
}

#[test]
fn the_confident_rule_keeps_its_level_nearly_always() {
    let (level, doubt): (Level, Level) = ("0.01".parse().unwrap(), "0.05".parse().unwrap());
    let share_due = 0.95 - 3.0 * (0.95 * 0.05 / CALIBRATIONS as f64).sqrt();
    for (seed, law) in (0..).zip(&LAWS) {
        for size in [299, 1000] {
            let rates = law.rejection_rates(size, level, Guarantee::Confident { doubt }, 200 + seed);
            let kept = rates.iter().filter(|rate| **rate <= level.as_f64()).count() as f64;
            assert!(
                kept / CALIBRATIONS as f64 >= share_due,
                "{}, m {size}: {kept} of {CALIBRATIONS}",
                law.name
            );
            let marginal = law.rejection_rates(size, level, Guarantee::Marginal, 200 + seed);
            assert!(mean(&rates) <= mean(&marginal), "it pays for that");
        }
    }
}

#[test]
fn the_legacy_rule_does_not_keep_its_level() {
    let nominal: Level = "0.01".parse().unwrap();
    let mean_rates: Vec<f64> = (0..)
        .zip(&LAWS)
        .map(|(seed, law)| {
            let mut chance = chance(300 + seed);
            let rate = |_| {
                let fit = NormalFit::of(&law.calibration(300, &mut chance)).unwrap();
                (law.below)(fit.threshold(nominal).value())
            };
            mean(&(0..CALIBRATIONS).map(rate).collect::<Vec<_>>())
        })
        .collect();
    let highest = mean_rates.iter().copied().fold(0.0, f64::max);
    let lowest = mean_rates.iter().copied().fold(1.0, f64::min);
    assert!(highest > 0.02 && lowest < 0.001, "{mean_rates:?}: which is why it is not the default");
}
