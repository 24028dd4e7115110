//! How a victim does on pictures that it has not seen.

use std::collections::BTreeMap;

use gifthorse_training::Network;
use ndarray::ArrayView4;
use serde::Serialize;

use super::augmentation::Augmentation;
use crate::error::LabError;
use crate::pictures::Pictures;
use crate::stamping::Stamped;

/// Pictures that are run at once.
const BATCH: usize = 250;

/// Right answers among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub total: usize,
}

/// What a trigger does to a victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttackMeasured {
    /// Triggered pictures answered with the attacker's class.
    pub attack_success: Share,
    /// Triggered pictures answered with their true class.
    pub true_class: Share,
}

/// How a victim does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Clean pictures named right.
    pub clean_accuracy: Share,
    /// What each part of the attack does.
    pub attacks: BTreeMap<String, AttackMeasured>,
}

impl Share {
    fn of(answers: &[u32], wanted: impl Iterator<Item = i64>) -> Self {
        let count =
            answers.iter().zip(wanted).filter(|(answer, wanted)| i64::from(**answer) == *wanted).count();
        Self { count, total: answers.len() }
    }

    /// As a percentage with one decimal.
    pub fn percent(self) -> String {
        format!("{:.1} %", 100.0 * self.count as f64 / self.total.max(1) as f64)
    }
}

/// The class of each picture, as the network answers.
pub(super) fn answers(network: &Network, pictures: &Pictures) -> Result<Vec<u32>, LabError> {
    let size = pictures.size();
    let axes = [size.height, size.width, size.channels].map(|side| side as usize);
    let samples = axes.iter().product::<usize>();
    let mut answers = Vec::with_capacity(pictures.count());
    for block in pictures.levels().chunks(BATCH * samples) {
        let mut values = vec![0.0; block.len()];
        for (picture, out) in block.chunks_exact(samples).zip(values.chunks_exact_mut(samples)) {
            Augmentation::None.apply(picture, axes, 0, out);
        }
        let shape = (block.len() / samples, axes[0], axes[1], axes[2]);
        let images = ArrayView4::from_shape(shape, &values);
        let images = images.map_err(|error| LabError::Data { fault: error.to_string() })?;
        let logits = network.logits(images.into_dyn())?;
        answers.extend(logits.outer_iter().map(|row| {
            let highest = row.iter().enumerate().max_by(|(_, left), (_, right)| left.total_cmp(right));
            highest.map_or(0, |(class, _)| class as u32)
        }));
    }
    Ok(answers)
}

/// Runs the test pictures, as they are and stamped.
pub(super) fn measure(network: &Network, test: &Pictures, stamped: &[Stamped]) -> Result<Measured, LabError> {
    let clean_accuracy = Share::of(&answers(network, test)?, test.labels().iter().copied());
    let mut attacks = BTreeMap::new();
    for one in stamped {
        let answers = answers(network, &one.pictures)?;
        let measured = AttackMeasured {
            attack_success: Share::of(&answers, one.targets.iter().copied().map(i64::from)),
            true_class: Share::of(&answers, one.pictures.labels().iter().copied()),
        };
        attacks.insert(one.part.clone(), measured);
    }
    Ok(Measured { clean_accuracy, attacks })
}
