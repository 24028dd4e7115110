//! Whether a record fits together: nothing is drawn of one that does not.

use std::collections::BTreeSet;

use crate::error::ReportError;
use crate::repair::{Counts, RepairRecord, SCHEMA_VERSION};

/// Fails on the first number that is not finite, on counts beyond their total, on rates beyond 1, and on
/// lists that belong together and do not have the same length or members.
pub(super) fn check(record: &RepairRecord) -> Result<(), ReportError> {
    let checker = Checker { record };
    checker.require(record.schema_version == SCHEMA_VERSION, || {
        format!("it has schemaVersion {} and this release writes {SCHEMA_VERSION}", record.schema_version)
    })?;
    checker.clean_images()?;
    checker.channels()?;
    checker.maps()?;
    checker.sets()?;
    checker.curve()?;
    checker.published()?;
    checker.trainings()?;
    checker.networks()?;
    checker.gate()
}

struct Checker<'a> {
    record: &'a RepairRecord,
}

impl Checker<'_> {
    fn require(&self, holds: bool, fault: impl FnOnce() -> String) -> Result<(), ReportError> {
        if holds {
            return Ok(());
        }
        Err(ReportError::RepairInconsistent { job: self.record.job.clone(), fault: fault() })
    }

    fn finite(&self, value: f64, place: impl FnOnce() -> String) -> Result<(), ReportError> {
        if value.is_finite() {
            return Ok(());
        }
        Err(ReportError::RepairNotFinite { job: self.record.job.clone(), place: place(), value })
    }

    /// A share of 1.
    fn rate(&self, value: f64, place: impl Fn() -> String) -> Result<(), ReportError> {
        self.finite(value, &place)?;
        self.require((0.0..=1.0).contains(&value), || format!("{} is {value}, not in 0..1", place()))
    }

    fn at_most(&self, count: usize, total: usize, place: impl FnOnce() -> String) -> Result<(), ReportError> {
        self.require(count <= total, || format!("{} is {count} of {total}", place()))
    }

    fn counts(&self, counts: Option<Counts>, place: impl FnOnce() -> String) -> Result<(), ReportError> {
        counts.map_or(Ok(()), |counts| self.at_most(counts.count, counts.total, place))
    }

    fn clean_images(&self) -> Result<(), ReportError> {
        let clean = &self.record.clean;
        let parts = [
            (clean.ranking_images, "the count of ranking images"),
            (clean.scoring_images, "the count of scoring images"),
            (clean.unseen_class_images, "the count of images of unseen classes"),
        ];
        for (count, what) in parts {
            self.at_most(count, clean.images, || what.to_owned())?;
        }
        self.at_most(clean.covered_classes, clean.classes, || "the count of covered classes".to_owned())
    }

    /// The ranking, and what is told of single channels.
    fn channels(&self) -> Result<(), ReportError> {
        let RepairRecord { layer, ranking, means, dead, pruned, choice, .. } = self.record;
        let channels = layer.channels;
        for (list, what) in [(ranking, "ranking"), (dead, "list of dead channels"), (pruned, "pruned list")] {
            let members: BTreeSet<usize> = list.iter().copied().collect();
            self.require(members.len() == list.len(), || format!("the {what} names a channel twice"))?;
            let beyond = members.last().copied().filter(|last| *last >= channels);
            self.require(beyond.is_none(), || {
                let beyond = beyond.unwrap_or_default();
                format!("the {what} names channel {beyond} and the layer has {channels}, from 0")
            })?;
        }
        for (length, what) in [(ranking.len(), "ranking"), (means.len(), "list of means")] {
            let all_or_none = length == channels || (ranking.is_empty() && means.is_empty());
            self.require(all_or_none, || {
                format!("the {what} has {length} entries and the layer has {channels} channels")
            })?;
        }
        for (channel, mean) in means.iter().enumerate() {
            self.finite(*mean, || format!("the mean activation of channel {channel}"))?;
        }
        self.require(pruned.len() == choice.channels, || {
            format!("{} channels are pruned and the choice is {}", pruned.len(), choice.channels)
        })?;
        let first: BTreeSet<_> = ranking.iter().take(choice.channels).collect();
        let same = ranking.is_empty() || pruned.iter().collect::<BTreeSet<_>>() == first;
        self.require(same, || "the pruned channels are not the first ones of the ranking".to_owned())
    }

    fn maps(&self) -> Result<(), ReportError> {
        let layer = &self.record.layer;
        for maps in &self.record.activation_maps {
            let shape = [maps.channels, maps.height, maps.width];
            let of_layer = [layer.channels, layer.height, layer.width];
            self.require(shape == of_layer, || {
                format!(
                    "the activation maps of {} have the shape {shape:?} and the layer {of_layer:?}",
                    maps.set
                )
            })?;
            let values = shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
            self.require(values == Some(maps.values.len()) && values != Some(0), || {
                let have = maps.values.len();
                format!("the activation maps of {} have {have} values and the shape {shape:?}", maps.set)
            })?;
            for (index, value) in maps.values.iter().enumerate() {
                self.finite(f64::from(*value), || {
                    format!("value {index} of the activation maps of {}", maps.set)
                })?;
            }
        }
        let names = self.record.activation_maps.iter().map(|maps| maps.set.as_str());
        self.distinct(names, "activation maps")
    }

    fn sets(&self) -> Result<(), ReportError> {
        self.distinct(self.record.sets.iter().map(|set| set.dataset.as_str()), "triggered sets")
    }

    fn distinct<'s>(&self, names: impl Iterator<Item = &'s str>, what: &str) -> Result<(), ReportError> {
        let mut known = BTreeSet::new();
        for name in names {
            self.require(known.insert(name), || format!("{name} is twice among the {what}"))?;
        }
        Ok(())
    }

    fn curve(&self) -> Result<(), ReportError> {
        let RepairRecord { curve, sets, clean, layer, choice, .. } = self.record;
        let mut before = None;
        for point in curve {
            let channels = point.channels;
            let place = |what: &str| format!("{what} after {channels} pruned channels");
            self.require(before < Some(channels), || {
                format!("the curve does not rise to {channels} channels")
            })?;
            before = Some(channels);
            self.at_most(channels, layer.channels, || "a point of the curve".to_owned())?;
            self.at_most(point.clean_correct, clean.scoring_images, || {
                place("the count of correct answers")
            })?;
            self.require(point.triggered.len() == sets.len(), || {
                format!(
                    "{} {} of {} triggered sets",
                    place("the curve tells"),
                    point.triggered.len(),
                    sets.len()
                )
            })?;
            for (found, set) in point.triggered.iter().zip(sets) {
                let name = &set.dataset;
                self.at_most(found.to_target, set.images, || place(&format!("the attack of {name}")))?;
                let correct = found.correct.unwrap_or_default();
                self.at_most(correct, set.images, || place(&format!("the true class of {name}")))?;
            }
        }
        let chosen = curve.is_empty() || curve.iter().any(|point| point.channels == choice.channels);
        self.require(chosen, || format!("the choice of {} channels is not on the curve", choice.channels))
    }

    fn published(&self) -> Result<(), ReportError> {
        for point in &self.record.published {
            let channels = point.channels;
            self.at_most(channels, self.record.layer.channels, || "a published point".to_owned())?;
            let place = |what: &str| format!("the published {what} at {channels} channels");
            let rates = [(point.clean_accuracy, "accuracy"), (point.attack_success, "attack success")];
            for (value, what) in rates {
                value.map_or(Ok(()), |value| self.rate(value, || place(what)))?;
            }
        }
        Ok(())
    }

    fn trainings(&self) -> Result<(), ReportError> {
        for training in &self.record.trainings {
            let name = &training.name;
            for (key, value) in &training.parameters {
                self.finite(*value, || format!("{key} of the training {name}"))?;
            }
            let mut before = None;
            for epoch in &training.epochs {
                let number = epoch.epoch;
                self.require(before < Some(number), || {
                    format!("the epochs of the training {name} do not rise to {number}")
                })?;
                before = Some(number);
                self.finite(epoch.mean_loss, || {
                    format!("the loss of epoch {number} of the training {name}")
                })?;
                let place = || format!("the accuracy of epoch {number} of the training {name}");
                epoch.held_out_accuracy.map_or(Ok(()), |value| self.rate(value, place))?;
            }
        }
        Ok(())
    }

    fn networks(&self) -> Result<(), ReportError> {
        let known: BTreeSet<_> = self.record.sets.iter().map(|set| set.dataset.as_str()).collect();
        for row in &self.record.networks {
            let name = &row.name;
            let parts = [(Some(row.held_out), "held-out"), (row.seen, "seen"), (row.unseen, "unseen")];
            for (counts, what) in parts {
                self.counts(counts, || format!("the {what} accuracy of {name}"))?;
            }
            for attack in &row.attacks {
                let set = &attack.set;
                self.require(known.contains(set.as_str()), || {
                    format!("{name} was measured on {set}, which is none of the triggered sets")
                })?;
                let parts = [
                    (Some(attack.success), "attack success"),
                    (attack.recovered, "recovery"),
                    (attack.detected, "detection"),
                ];
                for (counts, what) in parts {
                    self.counts(counts, || format!("the {what} of {name} on {set}"))?;
                }
            }
            let sets = row.attacks.iter().map(|attack| attack.set.as_str());
            self.distinct(sets, &format!("outcomes of {name}"))?;
        }
        self.distinct(self.record.networks.iter().map(|row| row.name.as_str()), "networks")
    }

    fn gate(&self) -> Result<(), ReportError> {
        let gate = &self.record.gate;
        self.rate(gate.max_accuracy_drop, || "the largest accuracy drop of the gate".to_owned())?;
        self.rate(gate.max_attack_success_rate, || "the largest attack success of the gate".to_owned())?;
        self.rate(gate.confidence, || "the confidence of the gate".to_owned())?;
        for trigger in &gate.synthetic {
            let place = |when: &str| format!("the count of the trigger {} {when} the repair", trigger.name);
            self.at_most(trigger.before, trigger.images, || place("before"))?;
            self.at_most(trigger.after, trigger.images, || place("after"))?;
        }
        Ok(())
    }
}
