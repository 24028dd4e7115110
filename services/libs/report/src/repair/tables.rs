//! The tables of the page.

use crate::names;
use crate::repair::{AttackOutcome, Counts, CurvePoint, NetworkRow, RepairRecord, Training, words};
use crate::statistics;
use crate::tables::{Cell, Column, Table};

/// The networks side by side.
pub(super) fn networks(record: &RepairRecord) -> Table {
    let any = |found: fn(&AttackOutcome) -> Option<Counts>| {
        record.networks.iter().flat_map(|row| &row.attacks).any(|attack| found(attack).is_some())
    };
    let (recovered, detected) = (any(|attack| attack.recovered), any(|attack| attack.detected));
    let attacked = !record.sets.is_empty();
    let mut columns = vec![
        Column::plain("network", "network"),
        Column::rate("ACC, held-out", "heldOut"),
        Column::rate("ACC, classes seen", "seen"),
        Column::rate("ACC, classes unseen", "unseen"),
    ];
    columns.extend(attacked.then_some(Column::by_set("attack success, ASR", "attackSuccess")));
    columns.extend(recovered.then_some(Column::by_set("true class, RA", "recovered")));
    columns.extend(detected.then_some(Column::by_set("detected", "detected")));
    let row = |row: &NetworkRow| {
        let by_set = |rate: fn(&AttackOutcome) -> Option<Counts>| {
            let of_set = |set: &str| row.attacks.iter().find(|attack| attack.set == set).and_then(rate);
            let sets = record.sets.iter().map(|set| {
                let rate = of_set(&set.dataset);
                (
                    names::dataset(&set.dataset),
                    rate.and_then(|rate| statistics::share(rate.count, rate.total)),
                )
            });
            Cell::BySet(sets.collect())
        };
        let mut cells =
            vec![Cell::Text(row.name.clone()), rate(Some(row.held_out)), rate(row.seen), rate(row.unseen)];
        cells.extend(attacked.then(|| by_set(|attack| Some(attack.success))));
        cells.extend(recovered.then(|| by_set(|attack| attack.recovered)));
        cells.extend(detected.then(|| by_set(|attack| attack.detected)));
        cells
    };
    Table {
        name: "networks",
        title: "On clean and on triggered images".to_owned(),
        note: "Wilson's 95 % interval below each rate.".to_owned(),
        rows: record.networks.iter().map(row).collect(),
        columns,
    }
}

/// The triggers of the repair's own making.
pub(super) fn synthetic(record: &RepairRecord) -> Table {
    let share = |count, total| Cell::rate(statistics::share(count, total));
    let rows = record.gate.synthetic.iter().map(|trigger| {
        vec![
            Cell::Text(trigger.name.clone()),
            Cell::Count(trigger.class.into()),
            share(trigger.before, trigger.images),
            share(trigger.after, trigger.images),
        ]
    });
    Table {
        name: "synthetic-triggers",
        title: "Synthetic triggers".to_owned(),
        note:
            "Triggers that the repair stamped itself, and how often they reach the class they are aimed at."
                .to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("trigger", "trigger"),
            Column::plain("class", "class"),
            Column::rate("works before", "before"),
            Column::rate("works after", "after"),
        ],
    }
}

/// The steps of the pruning.
pub(super) fn curve(record: &RepairRecord) -> Table {
    let row = |point: &CurvePoint| {
        let sets = |hits: fn(&crate::repair::TriggeredPoint) -> Option<usize>| {
            let of_set = |(found, set): (_, &crate::repair::TriggeredSet)| {
                let rate = hits(found).and_then(|hits| statistics::share(hits, set.images));
                (names::dataset(&set.dataset), rate)
            };
            Cell::BySet(point.triggered.iter().zip(&record.sets).map(of_set).collect())
        };
        let mut cells = vec![
            Cell::Count(point.channels as u64),
            Cell::rate(statistics::share(point.clean_correct, record.clean.scoring_images)),
        ];
        if !record.sets.is_empty() {
            cells.push(sets(|found| Some(found.to_target)));
            cells.push(sets(|found| found.correct));
        }
        let chosen = point.channels == record.choice.channels;
        cells.push(if chosen { Cell::Text("the choice".to_owned()) } else { Cell::Text(String::new()) });
        cells
    };
    let mut columns = vec![
        Column::plain("pruned channels", "prunedChannels"),
        Column::rate("clean accuracy", "cleanAccuracy"),
    ];
    if !record.sets.is_empty() {
        columns.push(Column::by_set("attack success", "attackSuccess"));
        columns.push(Column::by_set("true class", "robustAccuracy"));
    }
    columns.push(Column::plain("", "chosen"));
    Table {
        name: "curve",
        title: "Every step".to_owned(),
        note: String::new(),
        rows: record.curve.iter().map(row).collect(),
        columns,
    }
}

/// Figures of others beside what was measured here.
pub(super) fn published(record: &RepairRecord) -> Table {
    let level = |rate: Option<f64>| rate.map_or_else(Cell::missing, Cell::Level);
    let rows = record.published.iter().map(|published| {
        let here = record.curve.iter().find(|point| point.channels == published.channels);
        let sets = record.sets.iter().enumerate().map(|(index, set)| {
            let found = here.and_then(|point| point.triggered.get(index));
            let rate = found.and_then(|found| statistics::share(found.to_target, set.images));
            (names::dataset(&set.dataset), rate)
        });
        let clean =
            here.and_then(|point| statistics::share(point.clean_correct, record.clean.scoring_images));
        vec![
            Cell::Count(published.channels as u64),
            level(published.clean_accuracy),
            Cell::rate(clean),
            level(published.attack_success),
            Cell::BySet(sets.collect()),
            Cell::Text(published.source.clone()),
        ]
    });
    Table {
        name: "published",
        title: "Beside the figures of others".to_owned(),
        note: "Others measured on other images: the figures stand here to compare, nothing is asked of them."
            .to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("pruned channels", "prunedChannels"),
            Column::plain("clean accuracy, published", "publishedCleanAccuracy"),
            Column::rate("clean accuracy, here", "cleanAccuracy"),
            Column::plain("attack success, published", "publishedAttackSuccess"),
            Column::by_set("attack success, here", "attackSuccess"),
            Column::plain("source", "source"),
        ],
    }
}

/// The trainings, one row each.
pub(super) fn trainings(record: &RepairRecord) -> Table {
    let accuracy =
        |value: Option<f64>| value.map_or_else(Cell::missing, |rate| Cell::Text(words::percent(rate)));
    let row = |training: &Training| {
        let last = training.epochs.last();
        let best = training.epochs.iter().filter_map(|epoch| epoch.held_out_accuracy).reduce(f64::max);
        vec![
            Cell::Text(training.name.clone()),
            Cell::Text(words::role(training.role).to_owned()),
            Cell::Text(parameters(training)),
            last.map_or_else(Cell::missing, |epoch| Cell::Count(epoch.epoch.into())),
            Cell::number(last.map(|epoch| epoch.mean_loss)),
            accuracy(last.and_then(|epoch| epoch.held_out_accuracy)),
            accuracy(best),
            Cell::Missing(training.error.clone().unwrap_or_default()),
        ]
    };
    Table {
        name: "training",
        title: "Every training".to_owned(),
        note: "Accuracy is that on held-out clean images after the epoch. A dash is not measured.".to_owned(),
        rows: record.trainings.iter().map(row).collect(),
        columns: vec![
            Column::plain("training", "training"),
            Column::plain("role", "role"),
            Column::plain("parameters", "parameters"),
            Column::plain("last epoch", "lastEpoch"),
            Column::plain("its loss", "loss"),
            Column::plain("its held-out accuracy", "heldOutAccuracy"),
            Column::plain("best held-out accuracy", "bestHeldOutAccuracy"),
            Column::plain("broke off", "error"),
        ],
    }
}

/// The settings of a training: `lr = 0.01, rho = 0.5`.
pub(super) fn parameters(training: &Training) -> String {
    let one = |(key, value): (&String, &f64)| format!("{key} = {value}");
    training.parameters.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn rate(counts: Option<Counts>) -> Cell {
    Cell::rate(counts.and_then(|counts| statistics::share(counts.count, counts.total)))
}
