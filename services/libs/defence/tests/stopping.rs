//! Stopping early keeps its promises.

mod toy;

use std::num::NonZeroUsize;

use gifthorse_defence::Level;
use gifthorse_defence::conformal::{CalibrationScores, Guarantee};
use gifthorse_defence::detector::Verdict;
use gifthorse_defence::sequential::{EarlyRejection, Looks, Running, Spending, StopRule, Stopped};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use toy::{chance, uniform};

/// Entropies of one input's copies: skewed around a level of the input's own, with exact zeros among them.
fn terms(count: usize, chance: &mut ChaCha8Rng) -> Vec<f64> {
    let level = 0.05 + uniform(chance).powi(2);
    let term = |chance: &mut ChaCha8Rng| {
        let u = uniform(chance);
        if u < 0.1 { 0.0 } else { -level * u.ln() }
    };
    (0..count).map(|_| term(chance)).collect()
}

fn mean(terms: &[f64]) -> f64 {
    let mut running = Running::default();
    for term in terms {
        running.push(*term);
    }
    running.mean()
}

fn scanned(rule: &StopRule, terms: &[f64]) -> Stopped {
    let mut running = Running::default();
    loop {
        let until = rule.next_check(&running, terms.len());
        terms[running.taken()..until].iter().for_each(|term| running.push(*term));
        if let Some(stopped) = rule.check(&running, terms.len()) {
            return stopped;
        }
    }
}

#[test]
fn curtailment_never_changes_a_verdict() {
    const PASSES: usize = 100;
    let mut chance = chance(1);
    let level: Level = "0.05".parse().unwrap();
    let calibration: Vec<f64> = (0..299).map(|_| mean(&terms(PASSES, &mut chance))).collect();
    let calibration = CalibrationScores::new(calibration).unwrap();
    let threshold = calibration.threshold(level, Guarantee::Marginal).unwrap().threshold;
    let (mut rejected, mut used) = (0, 0);
    for input in 0..10_000 {
        let terms = terms(PASSES, &mut chance);
        let score = mean(&terms);
        // Now and then a threshold that is exactly the score, or next to it.
        let threshold = match input % 10 {
            0 => gifthorse_defence::conformal::Threshold::new(score).unwrap(),
            1 => gifthorse_defence::conformal::Threshold::new(score.next_up()).unwrap(),
            _ => threshold,
        };
        let fixed = scanned(&StopRule::Fixed { threshold }, &terms);
        assert_eq!(fixed.verdict == Verdict::Trojaned, threshold.rejects(score));
        assert_eq!(fixed.passes_used, PASSES);
        for every in [1, 4, 7, 1000] {
            let check_every = NonZeroUsize::new(every).unwrap();
            let curtailed = scanned(&StopRule::Curtailed { threshold, check_every }, &terms);
            assert_eq!(curtailed.verdict, fixed.verdict, "input {input}, every {every}");
            assert!(
                curtailed.score.value() <= score
                    && curtailed.score.is_bound() == (curtailed.passes_used < PASSES)
            );
            assert!(calibration.p_value(curtailed.score.value()).rank() <= calibration.p_value(score).rank());
            if every == 4 {
                used += curtailed.passes_used;
            }
        }
        rejected += usize::from(fixed.verdict == Verdict::Trojaned);
    }
    assert!(rejected > 100 && rejected < 5000, "{rejected} rejected: both verdicts are met");
    assert!(used < 10_000 * 70, "{used} passes: curtailment saves some");
}

/// The running means `[inputs, looks]` of fresh clean inputs, and their terms.
fn clean_inputs(count: usize, looks: &Looks, chance: &mut ChaCha8Rng) -> (Array2<f64>, Vec<Vec<f64>>) {
    let inputs: Vec<Vec<f64>> = (0..count).map(|_| terms(looks.total(), chance)).collect();
    let means = Array2::from_shape_fn((count, looks.passes().len()), |(input, look)| {
        mean(&inputs[input][..looks.passes()[look]])
    });
    (means, inputs)
}

#[test]
fn early_rejection_keeps_its_level() {
    let looks = Looks::doubling(40).unwrap();
    let level: Level = "0.04".parse().unwrap();
    let mut chance = chance(2);
    let (mut rates, mut used) = (Vec::new(), 0);
    for _ in 0..150 {
        let (means, _) = clean_inputs(249, &looks, &mut chance);
        let rule = EarlyRejection::fit(&looks, means.view(), level, &Spending::equal(&looks)).unwrap();
        let (_, inputs) = clean_inputs(200, &looks, &mut chance);
        let rule = StopRule::EarlyRejection(rule);
        let stops: Vec<_> = inputs.iter().map(|terms| scanned(&rule, terms)).collect();
        used += stops.iter().map(|stop| stop.passes_used).sum::<usize>();
        let rejected = stops.iter().filter(|stop| stop.verdict == Verdict::Trojaned).count();
        rates.push(rejected as f64 / inputs.len() as f64);
    }
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (rates.len() - 1) as f64;
    let error = (variance / rates.len() as f64).sqrt();
    assert!(mean <= level.as_f64() + 3.0 * error, "{mean} with an error of {error}");
    assert!(mean > 0.5 * level.as_f64(), "{mean}: the level is used");
    assert!(used < 150 * 200 * 25, "{used} passes: most inputs are accepted before the last look");
}

#[test]
fn an_early_end_is_what_all_looks_would_have_said() {
    let looks = Looks::doubling(40).unwrap();
    let mut chance = chance(3);
    let (means, _) = clean_inputs(249, &looks, &mut chance);
    let level: Level = "0.1".parse().unwrap();
    let fitted = EarlyRejection::fit(&looks, means.view(), level, &Spending::equal(&looks)).unwrap();
    let rule = StopRule::EarlyRejection(fitted.clone());
    let (means, inputs) = clean_inputs(5000, &looks, &mut chance);
    for (input, terms) in inputs.iter().enumerate() {
        let mut hits = fitted.boundaries().iter().filter(|boundary| {
            let column = looks.passes().iter().position(|look| *look == boundary.look).unwrap();
            means[[input, column]] < boundary.bound
        });
        let stopped = scanned(&rule, terms);
        match hits.next() {
            Some(boundary) => {
                assert_eq!(stopped.verdict, Verdict::Trojaned);
                assert_eq!(stopped.passes_used, boundary.look, "at the first look that rejects");
            }
            None => assert_eq!(stopped.verdict, Verdict::Clean),
        }
    }
}

#[test]
fn what_has_become_safe_between_two_looks_is_accepted_there() {
    let looks = Looks::doubling(100).unwrap();
    // Every calibration input has the same mean at every look, from 0.2 upwards.
    let means = Array2::from_shape_fn((499, looks.passes().len()), |(row, _)| 0.2 + row as f64 / 1000.0);
    let level: Level = "0.01".parse().unwrap();
    let rule = EarlyRejection::fit(&looks, means.view(), level, &Spending::equal(&looks)).unwrap();
    let last = *rule.boundaries().last().unwrap();
    assert_eq!(last.look, 100);
    let needed = (last.bound * 100.0 / 0.4).ceil() as usize;
    let stopped = scanned(&StopRule::EarlyRejection(rule), &[0.4; 100]);
    assert_eq!(stopped.verdict, Verdict::Clean);
    assert!((needed..needed + 8).contains(&stopped.passes_used), "{} of {needed}", stopped.passes_used);
}

#[test]
fn the_order_of_calibration_inputs_does_not_matter() {
    let looks = Looks::doubling(40).unwrap();
    let (means, _) = clean_inputs(299, &looks, &mut chance(4));
    let mut turned = means.clone();
    turned.invert_axis(ndarray::Axis(0));
    let fit = |means: &Array2<f64>| {
        EarlyRejection::fit(&looks, means.view(), "0.05".parse().unwrap(), &Spending::equal(&looks)).unwrap()
    };
    assert_eq!(fit(&means), fit(&turned));
}
