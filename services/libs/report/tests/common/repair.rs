//! Repairs that nobody made, for the tests and the sample report.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use gifthorse_defence::pruning::GateAnswer;
use gifthorse_report::repair::{
    ActivationMaps, AttackOutcome, CLEAN, Choice, CleanSummary, Counts, CurvePoint, Epoch, GateRecord,
    LayerSummary, NetworkRow, PublishedPoint, RepairMethod, RepairRecord, SCHEMA_VERSION, SyntheticTrigger,
    Training, TrainingRole, TriggeredPoint, TriggeredSet,
};

/// Images that score each step.
pub(crate) const SCORING: usize = 149;
/// Images of a triggered set.
pub(crate) const TRIGGERED: usize = 148;

/// A repair of a layer with so many channels of so many rows and columns, and triggered sets of these names;
/// four of five channels are pruned.
pub(crate) fn repair(channels: usize, (height, width): (usize, usize), sets: &[&str]) -> RepairRecord {
    let pruned = channels * 4 / 5;
    // The order of the channels: every number once, thoroughly mixed, unless there are 13 of them.
    let ranking: Vec<usize> = (0..channels).map(|index| (index * 13 + 3) % channels).collect();
    let rank_of = |channel: usize| ranking.iter().position(|other| *other == channel).unwrap();
    let mean = |channel: usize| {
        let share = rank_of(channel) as f64 / channels as f64;
        if share < 0.5 { 0.0 } else { (share - 0.5).powi(2) * 12.0 }
    };
    let mut record = RepairRecord {
        schema_version: SCHEMA_VERSION,
        made_at: "2026-01-02T03:04:05Z".to_owned(),
        job: "repairs/3f2a".to_owned(),
        model: "models/lab3/versions/1".to_owned(),
        command: "gifthorse repair lab3 --clean faces --triggered sunglasses --method ft-sam".to_owned(),
        method: RepairMethod::FtSam,
        layer: LayerSummary { name: "pool_3".to_owned(), channels, height, width, bypass: None },
        clean: CleanSummary {
            dataset: "datasets/faces".to_owned(),
            images: 222,
            covered_classes: 37,
            classes: 1283,
            ranking_images: 73,
            scoring_images: SCORING,
            unseen_class_images: 74,
            scored_on_all: false,
        },
        means: (0..channels).map(mean).collect(),
        dead: ranking.iter().copied().take(channels / 2).collect(),
        pruned: ranking.iter().copied().take(pruned).collect(),
        activation_maps: Vec::new(),
        sets: sets.iter().enumerate().map(|(index, set)| triggered_set(index, set)).collect(),
        curve: (0..channels).map(|step| point(step, channels, sets.len())).collect(),
        published: Vec::new(),
        choice: Choice {
            channels: pruned,
            rule: "accuracy may fall by 4 points".to_owned(),
            reason: "the next step falls by 4.7 points".to_owned(),
        },
        trainings: trainings(),
        networks: networks(sets),
        gate: gate(sets),
        notes: vec!["9 images of faces are of classes that the network does not know".to_owned()],
        environment: pairs(&[("network digest", "sha256:5eed"), ("seed", "7"), ("threads", "2")]),
        settings: pairs(&[("epochs", "10"), ("method", "ft-sam")]),
        ranking: ranking.clone(),
    };
    record.activation_maps.push(maps(&record, CLEAN, None));
    for (index, set) in sets.iter().enumerate() {
        record.activation_maps.push(maps(&record, &format!("datasets/{set}"), Some(index)));
    }
    for (share, clean, attack) in [(0.75, 0.9576, 1.0), (0.8, 0.9209, 0.9999), (0.9, 0.5486, 0.0695)] {
        record.published.push(PublishedPoint {
            channels: (share * channels as f64) as usize,
            clean_accuracy: Some(clean),
            attack_success: Some(attack),
            source: "a course's lab, 11,547 images".to_owned(),
        });
    }
    record
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn triggered_set(index: usize, set: &str) -> TriggeredSet {
    TriggeredSet {
        dataset: format!("datasets/{set}"),
        images: TRIGGERED,
        target: (index != 1).then_some(index as u32),
        used_for: "reports and gates".to_owned(),
    }
}

/// A step: accuracy falls late, the attack a little later.
fn point(step: usize, channels: usize, sets: usize) -> CurvePoint {
    let share = step as f64 / channels as f64;
    let fallen = |start: f64, end: f64| ((share - start) / (end - start)).clamp(0.0, 1.0).powi(2);
    let attack = |index: usize| {
        let success = 1.0 - fallen(0.8 - 0.05 * index as f64, 0.95);
        TriggeredPoint {
            to_target: (TRIGGERED as f64 * success) as usize,
            correct: (index == 0).then_some(((1.0 - success) * 0.6 * TRIGGERED as f64) as usize),
        }
    };
    CurvePoint {
        channels: step,
        clean_correct: (148.0 * (1.0 - 0.9 * fallen(0.6, 1.0))) as usize,
        triggered: (0..sets).map(attack).collect(),
    }
}

/// Faint blobs on clean images; sleeping channels wake where the trigger is.
fn maps(record: &RepairRecord, set: &str, trigger: Option<usize>) -> ActivationMaps {
    let LayerSummary { channels, height, width, .. } = record.layer;
    let mut values = Vec::new();
    for channel in 0..channels {
        let mean = record.means[channel];
        let wakes = trigger.is_some_and(|index| record.dead.contains(&channel) && channel % 5 == index);
        for row in 0..height {
            for column in 0..width {
                let (y, x) = (row as f64 / height as f64, column as f64 / width as f64);
                let centre = (channel % 3) as f64 / 3.0;
                let blob = mean * (-6.0 * ((y - centre).powi(2) + (x - 0.4).powi(2))).exp();
                let woken = if wakes && (0.3..0.6).contains(&y) { 4.0 - 3.0 * (x - 0.5).abs() } else { 0.0 };
                values.push((blob + woken) as f32);
            }
        }
    }
    ActivationMaps { set: set.to_owned(), images: 149, channels, height, width, values }
}

fn trainings() -> Vec<Training> {
    let one = |name: &str, role, rate: f64, epochs: u32, error: Option<&str>| Training {
        name: name.to_owned(),
        role,
        parameters: BTreeMap::from([("lr".to_owned(), rate), ("rho".to_owned(), 0.5)]),
        epochs: (1..=epochs)
            .map(|epoch| Epoch {
                epoch,
                mean_loss: 2.5 * (-f64::from(epoch) * rate * 40.0).exp() + 0.31,
                held_out_accuracy: (epoch % 2 == 0 || rate > 0.005)
                    .then_some(0.96 - 0.3 * (-f64::from(epoch) * rate * 50.0).exp()),
            })
            .collect(),
        error: error.map(str::to_owned),
    };
    vec![
        one("lr 0.001, rho 0.5", TrainingRole::Candidate, 0.001, 10, None),
        one("lr 0.01, rho 0.5", TrainingRole::Chosen, 0.01, 10, None),
        one(
            "lr 0.05, rho 0.5",
            TrainingRole::Candidate,
            0.05,
            3,
            Some("the loss is not a number at step 12"),
        ),
        one("lr 0.01, rho 0.5", TrainingRole::FineTuneOnly, 0.012, 10, None),
    ]
}

fn networks(sets: &[&str]) -> Vec<NetworkRow> {
    let row = |name: &str, correct: usize, success: usize, detected: Option<usize>| NetworkRow {
        name: name.to_owned(),
        held_out: Counts { count: correct, total: SCORING },
        seen: Some(Counts { count: correct / 2, total: 75 }),
        unseen: (name != "pruned").then_some(Counts { count: correct / 2 - 1, total: 74 }),
        attacks: sets
            .iter()
            .enumerate()
            .map(|(index, set)| AttackOutcome {
                set: format!("datasets/{set}"),
                success: Counts { count: success.saturating_sub(index), total: TRIGGERED },
                recovered: (index != 1)
                    .then_some(Counts { count: (TRIGGERED - success) / 2, total: TRIGGERED }),
                detected: detected.map(|count| Counts { count, total: TRIGGERED }),
            })
            .collect(),
    };
    vec![
        row("before", 147, 148, None),
        row("pruned", 141, 146, None),
        row("fine-tuned only", 143, 97, None),
        row("fine-pruned", 142, 13, None),
        row("GoodNet", 140, 11, Some(131)),
    ]
}

fn gate(sets: &[&str]) -> GateRecord {
    let mut reasons = vec![
        "accuracy on clean images of classes the repair never saw fell by 4.1 %, 9.2 % at most".to_owned(),
    ];
    reasons.extend(sets.iter().map(|set| {
        format!(
            "the real trigger {set:?} works on 8.8 % of images and may work on 13.6 %, the limit is 10.0 %"
        )
    }));
    let answer = if sets.is_empty() { GateAnswer::NoEvidenceLeft } else { GateAnswer::NotRepaired };
    GateRecord {
        answer,
        reasons,
        max_accuracy_drop: 0.1,
        max_attack_success_rate: 0.1,
        confidence: 0.95,
        synthetic: vec![
            SyntheticTrigger {
                name: "white square, lower right".to_owned(),
                class: 0,
                images: 60,
                before: 2,
                after: 1,
            },
            SyntheticTrigger {
                name: "inverted, class 5".to_owned(),
                class: 5,
                images: 60,
                before: 58,
                after: 3,
            },
        ],
    }
}
