//! An evaluation for people.

use std::fmt;

use gifthorse_api::v1;

use crate::output::facts::Facts;
use crate::output::number::{interval, number, percent};
use crate::output::table::{Align, Table};
use crate::reference::short;

/// Facts about the clean images, a table of the triggered sets, and one of the detectors.
pub(super) struct Shown {
    facts: Facts,
    triggered: Table,
    detectors: Table,
    notes: Vec<String>,
}

impl Shown {
    /// The form of an evaluation.
    pub(super) fn new(evaluation: &v1::Evaluation) -> Self {
        Self {
            facts: facts(evaluation),
            triggered: triggered(evaluation),
            detectors: detectors(evaluation),
            notes: evaluation.notes.clone(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}\n{}", self.facts, self.triggered, self.detectors)?;
        if !self.notes.is_empty() {
            writeln!(formatter)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(formatter, "note: {note}"))
    }
}

fn facts(evaluation: &v1::Evaluation) -> Facts {
    let mut facts = Facts::new();
    facts.add("model", short(&evaluation.model_version));
    facts.add("decided by", short(&evaluation.policy));
    let calibrations: Vec<String> =
        evaluation.calibrations.iter().map(|name| short(name).to_string()).collect();
    facts.add("calibrations", calibrations.join(", "));
    let promise = if evaluation.confidence > 0.0 {
        format!("{}, with confidence {}", evaluation.alpha, evaluation.confidence)
    } else {
        format!("{}, on average", evaluation.alpha)
    };
    facts.add("alpha", promise);
    facts.add("clean set", short(&evaluation.clean_dataset));
    facts.add("clean images", evaluation.clean_images);
    facts.add("accuracy", interval(evaluation.clean_accuracy.as_ref()));
    facts.add("guarded accuracy", interval(evaluation.guarded_clean_accuracy.as_ref()));
    facts.add("false rejections", interval(evaluation.false_rejection_rate.as_ref()));
    facts.add("mean passes", format!("{:.1}", evaluation.mean_passes_clean));
    facts.add("time a scan", format!("{:.1} ms", evaluation.seconds_per_scan * 1000.0));
    facts.add("took", format!("{:.1} s", evaluation.seconds));
    let confidence = evaluation.clean_accuracy.as_ref().map(|found| found.confidence);
    if let Some(confidence) = confidence.filter(|confidence| *confidence > 0.0) {
        facts.add("intervals", format!("of confidence {confidence}"));
    }
    facts
}

fn triggered(evaluation: &v1::Evaluation) -> Table {
    let mut table = Table::new(&[
        ("TRIGGERED SET", Align::Left),
        ("IMAGES", Align::Right),
        ("TARGET", Align::Right),
        ("ATTACK SUCCESS", Align::Right),
        ("GUARDED", Align::Right),
        ("ACCEPTED", Align::Right),
        ("EFFECTIVE ACCEPTED", Align::Right),
        ("AUROC", Align::Right),
        ("PASSES", Align::Right),
    ]);
    for set in &evaluation.triggered {
        table.row([
            short(&set.dataset).to_string(),
            set.images.to_string(),
            set.target.to_string(),
            interval(set.attack_success_rate.as_ref()),
            interval(set.residual_attack_success_rate.as_ref()),
            interval(set.false_acceptance_rate.as_ref()),
            interval(set.false_acceptance_rate_effective.as_ref()),
            number(set.auroc),
            format!("{:.1}", set.mean_passes),
        ]);
    }
    table
}

/// Every detector by itself, on exact scores; a row for each triggered set.
fn detectors(evaluation: &v1::Evaluation) -> Table {
    let mut table = Table::new(&[
        ("DETECTOR", Align::Left),
        ("DECIDES", Align::Left),
        ("PASSES", Align::Right),
        ("THRESHOLD", Align::Right),
        ("FALSE REJECTIONS", Align::Right),
        ("TRIGGERED SET", Align::Left),
        ("AUROC", Align::Right),
        ("EFFECTIVE ACCEPTED", Align::Right),
    ]);
    for detector in &evaluation.detectors {
        let refused = !detector.refusal.is_empty();
        let mut head = vec![
            detector.detector.clone(),
            if detector.decides { "yes" } else { "" }.to_owned(),
            detector.passes.to_string(),
            if refused { "-".to_owned() } else { number(detector.threshold) },
            interval(detector.false_rejection_rate.as_ref()),
        ];
        if detector.triggered.is_empty() {
            table.row(head.clone());
        }
        for set in &detector.triggered {
            let accepted = set.false_acceptance_rate_effective.as_ref();
            let accepted =
                accepted.filter(|found| found.observations > 0).map(|found| percent(found.estimate));
            let cells =
                [short(&set.dataset).to_string(), number(set.auroc), accepted.unwrap_or("-".to_owned())];
            table.row(head.iter().cloned().chain(cells));
            head.fill(String::new());
        }
    }
    table
}
