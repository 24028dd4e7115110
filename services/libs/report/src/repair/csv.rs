//! The numbers of a repair as comma-separated files, one thing a line and with all digits.

use crate::csv::line;
use crate::repair::{Counts, CurvePoint, RepairRecord, TrainingRole, tables};
use crate::statistics;

/// Every step of the pruning, on every triggered set.
pub(super) fn curve(record: &RepairRecord) -> String {
    let mut file = line(&[
        "prunedChannels",
        "chosen",
        "cleanCorrect",
        "scoringImages",
        "cleanAccuracy",
        "cleanAccuracyLower",
        "cleanAccuracyUpper",
        "dataset",
        "images",
        "toTarget",
        "attackSuccess",
        "attackSuccessLower",
        "attackSuccessUpper",
        "correct",
        "robustAccuracy",
        "robustAccuracyLower",
        "robustAccuracyUpper",
    ]);
    for point in &record.curve {
        let clean = clean_fields(record, point);
        for (found, set) in point.triggered.iter().zip(&record.sets) {
            let mut fields = clean.clone();
            fields.extend([set.dataset.clone(), set.images.to_string(), found.to_target.to_string()]);
            fields.extend(rate(Some(Counts { count: found.to_target, total: set.images })));
            let correct = found.correct.map(|count| Counts { count, total: set.images });
            fields.push(found.correct.map(|count| count.to_string()).unwrap_or_default());
            fields.extend(rate(correct));
            file.push_str(&line(&fields));
        }
        if record.sets.is_empty() {
            let empty = vec![String::new(); 10];
            file.push_str(&line(&[clean, empty].concat()));
        }
    }
    file
}

fn clean_fields(record: &RepairRecord, point: &CurvePoint) -> Vec<String> {
    let total = record.clean.scoring_images;
    let mut fields = vec![
        point.channels.to_string(),
        (point.channels == record.choice.channels).to_string(),
        point.clean_correct.to_string(),
        total.to_string(),
    ];
    fields.extend(rate(Some(Counts { count: point.clean_correct, total })));
    fields
}

/// Every channel: when it goes, how active it is, and whether it went. The first to go has rank 1.
pub(super) fn channels(record: &RepairRecord) -> String {
    let mut file = line(&["channel", "rank", "meanActivation", "dead", "pruned"]);
    let mut ranks = vec![None; record.layer.channels];
    for (index, channel) in record.ranking.iter().enumerate() {
        if let Some(rank) = ranks.get_mut(*channel) {
            *rank = Some(index + 1);
        }
    }
    for (channel, rank) in ranks.iter().enumerate() {
        file.push_str(&line(&[
            channel.to_string(),
            rank.map(|rank| rank.to_string()).unwrap_or_default(),
            record.means.get(channel).map(f64::to_string).unwrap_or_default(),
            record.dead.contains(&channel).to_string(),
            record.pruned.contains(&channel).to_string(),
        ]));
    }
    file
}

/// Every epoch of every training; where one broke off, a line without an epoch says why.
pub(super) fn training(record: &RepairRecord) -> String {
    let mut file = line(&["training", "role", "parameters", "epoch", "meanLoss", "heldOutAccuracy", "error"]);
    for training in &record.trainings {
        let role = match training.role {
            TrainingRole::Candidate => "candidate",
            TrainingRole::Chosen => "chosen",
            TrainingRole::FineTuneOnly => "fine-tune-only",
        };
        let parameters = tables::parameters(training);
        let mut add = |epoch: &str, loss: &str, accuracy: &str, error: &str| {
            file.push_str(&line(&[&training.name, role, &parameters, epoch, loss, accuracy, error]));
        };
        for epoch in &training.epochs {
            let accuracy = epoch.held_out_accuracy.map(|rate| rate.to_string()).unwrap_or_default();
            add(&epoch.epoch.to_string(), &epoch.mean_loss.to_string(), &accuracy, "");
        }
        if let Some(error) = &training.error {
            add("", "", "", error);
        }
    }
    file
}

/// Every network on clean images.
pub(super) fn networks(record: &RepairRecord) -> String {
    let mut file =
        line(&["network", "part", "correct", "total", "accuracy", "accuracyLower", "accuracyUpper"]);
    for row in &record.networks {
        let parts = [("held-out", Some(row.held_out)), ("seen", row.seen), ("unseen", row.unseen)];
        for (part, counts) in parts {
            let fields = [vec![row.name.clone(), part.to_owned()], counts_of(counts)].concat();
            file.push_str(&line(&fields));
        }
    }
    file
}

/// Every network on every triggered set.
pub(super) fn attacks(record: &RepairRecord) -> String {
    let mut file = line(&[
        "network",
        "dataset",
        "target",
        "measure",
        "count",
        "total",
        "rate",
        "rateLower",
        "rateUpper",
    ]);
    for row in &record.networks {
        for attack in &row.attacks {
            let set = record.sets.iter().find(|set| set.dataset == attack.set);
            let target = set.and_then(|set| set.target).map(|class| class.to_string()).unwrap_or_default();
            let measures = [
                ("attackSuccess", Some(attack.success)),
                ("robustAccuracy", attack.recovered),
                ("detected", attack.detected),
            ];
            for (measure, counts) in measures {
                let lead = vec![row.name.clone(), attack.set.clone(), target.clone(), measure.to_owned()];
                file.push_str(&line(&[lead, counts_of(counts)].concat()));
            }
        }
    }
    file
}

/// Count, total, rate and interval; empty where nothing was measured.
fn counts_of(counts: Option<Counts>) -> Vec<String> {
    let measured = counts.filter(|counts| counts.total > 0);
    let mut fields = measured.map_or_else(
        || vec![String::new(); 2],
        |counts| vec![counts.count.to_string(), counts.total.to_string()],
    );
    fields.extend(rate(measured));
    fields
}

/// A rate with its interval; empty where nothing was measured.
fn rate(counts: Option<Counts>) -> [String; 3] {
    counts
        .and_then(|counts| statistics::share(counts.count, counts.total))
        .map_or_else(Default::default, |rate| {
            [rate.estimate.to_string(), rate.lower.to_string(), rate.upper.to_string()]
        })
}
