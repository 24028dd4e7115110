//! The suspect as it is.

use std::collections::BTreeMap;

use super::answering;
use super::job::Job;
use super::state::correct;
use super::work::{Piece, Work};
use crate::engine::{Advance, Cancelled, EngineFault, Extent};

pub(super) struct Baseline;

impl Work for Baseline {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        let done = answering::answered(&job.state.before) as u64;
        Ok(Extent { done, total: answering::images(job.material()?) as u64, unit: "images" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let (material, _, state, _) = job.parts()?;
        answering::go_on(&material.suspect, material, &mut state.before, Piece::begin(), cancelled)?;
        let done = answering::answered(&state.before);
        let mut advance = Advance { done: done as u64, ..Advance::default() };
        if done == answering::images(material) {
            let before = &state.before;
            let clean = correct(&before.clean, &material.clean.truth) as f64 / material.clean.count() as f64;
            let mut metrics = BTreeMap::from([("clean_accuracy".to_owned(), clean)]);
            let mut targets = Vec::new();
            for (set, answers) in material.triggered.iter().zip(&before.triggered) {
                let target = set.target.or_else(|| most_frequent_error(answers, &set.images.truth));
                if let Some(target) = target {
                    let reached = answers.iter().filter(|answer| **answer == target).count();
                    let rate = reached as f64 / answers.len() as f64;
                    metrics.insert(format!("attack_success_rate.{}", set.images.name), rate);
                }
                if set.target.is_none() {
                    advance.log.push(match target {
                        Some(target) => {
                            format!("{}: class {target} is taken for the attacker's", set.images.name)
                        }
                        None => format!("{}: no class stands out among the errors", set.images.name),
                    });
                }
                targets.push(target);
            }
            state.targets = targets;
            advance.metrics = metrics;
        }
        Ok(advance)
    }
}

/// The class that wrong answers name most, where it makes up more than half of all answers: the attacker's, most
/// likely.
fn most_frequent_error(answers: &[u32], truth: &[u32]) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for (answer, truth) in answers.iter().zip(truth) {
        if answer != truth {
            *counts.entry(*answer).or_default() += 1;
        }
    }
    let (class, count) =
        counts.into_iter().max_by_key(|(class, count)| (*count, std::cmp::Reverse(*class)))?;
    (2 * count > answers.len()).then_some(class)
}

#[cfg(test)]
mod tests {
    use super::most_frequent_error;

    #[test]
    fn the_class_of_most_errors_is_the_attackers() {
        assert_eq!(most_frequent_error(&[7, 7, 7, 1], &[0, 1, 2, 1]), Some(7));
        assert_eq!(most_frequent_error(&[7, 7, 2, 1], &[0, 1, 2, 1]), None, "half is no majority");
        assert_eq!(most_frequent_error(&[0, 1], &[0, 1]), None);
    }
}
