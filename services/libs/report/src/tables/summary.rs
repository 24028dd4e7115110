//! What came of it: the network alone and the guarded answer.

use crate::names;
use crate::record::{EvaluationRecord, TriggeredRecord};
use crate::statistics;
use crate::tables::{Cell, Column, Table};

/// On clean images, one row a network.
pub(super) fn clean(evaluations: &[EvaluationRecord]) -> Table {
    let rows = evaluations.iter().map(|evaluation| {
        vec![
            Cell::Text(names::network(&evaluation.network)),
            Cell::Text(names::dataset(&evaluation.clean_dataset)),
            Cell::Count(evaluation.clean_images),
            Cell::rate(evaluation.clean_accuracy),
            Cell::rate(evaluation.guarded_clean_accuracy),
            Cell::rate(evaluation.false_rejection_rate),
            evaluation.alpha.map_or_else(Cell::missing, Cell::Level),
            mean(&evaluation.clean_passes, evaluation.mean_passes_clean),
            Cell::number(evaluation.seconds_per_scan.map(|seconds| seconds * 1e3)),
        ]
    });
    Table {
        name: "summary-clean",
        title: "Clean images".to_owned(),
        note: "What the guard costs. A rejected clean image counts as a wrong guarded answer.".to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("network", "network"),
            Column::plain("clean images", "dataset"),
            Column::plain("n", "images"),
            Column::rate("accuracy, network alone", "cleanAccuracy"),
            Column::rate("accuracy, guarded answer", "guardedCleanAccuracy"),
            Column::rate("false rejections (FRR)", "falseRejectionRate"),
            Column::plain("FRR allowed", "alpha"),
            Column::plain("mean passes", "meanPassesClean"),
            Column::plain("ms a scan", "millisecondsPerScan"),
        ],
    }
}

/// On triggered images, one row a network and set.
pub(super) fn triggered(evaluations: &[EvaluationRecord]) -> Table {
    let sets = evaluations.iter().flat_map(|evaluation| {
        evaluation.triggered.iter().map(move |set| {
            vec![
                Cell::Text(names::network(&evaluation.network)),
                Cell::Text(names::dataset(&set.dataset)),
                Cell::Count(set.images),
                Cell::Text(set.target.to_string()),
                Cell::rate(set.attack_success_rate),
                Cell::rate(set.residual_attack_success_rate),
                Cell::rate(set.robust_accuracy),
                Cell::rate(set.false_acceptance_rate),
                Cell::rate(set.false_acceptance_rate_effective),
                area(evaluation, set),
                mean(&set.passes, set.mean_passes),
            ]
        })
    });
    Table {
        name: "summary-triggered",
        title: "Triggered images".to_owned(),
        note: "What the guard stops. Effective trojans are the triggered images on which the network alone \
               gives the attacker's class."
            .to_owned(),
        rows: sets.collect(),
        columns: vec![
            Column::plain("network", "network"),
            Column::plain("triggered images", "dataset"),
            Column::plain("n", "images"),
            Column::plain("attacker's class", "target"),
            Column::rate("attack success, network alone", "attackSuccessRate"),
            Column::rate("attack success, guarded answer", "residualAttackSuccessRate"),
            Column::rate("true class, guarded answer", "robustAccuracy"),
            Column::rate("false acceptances (FAR), all", "falseAcceptanceRate"),
            Column::rate("FAR, effective trojans", "falseAcceptanceRateEffective"),
            Column::rate("AUROC", "auroc"),
            Column::plain("mean passes", "meanPasses"),
        ],
    }
}

/// The area under the ROC curve with its interval.
fn area(evaluation: &EvaluationRecord, set: &TriggeredRecord) -> Cell {
    set.auroc
        .and_then(|area| statistics::area(area, evaluation.clean_images as usize, set.images as usize))
        .map_or_else(Cell::missing, Cell::Area)
}

/// The mean of the passes that were listed, else the one that was told.
fn mean(passes: &[u32], told: Option<f64>) -> Cell {
    statistics::mean(passes).map_or_else(
        || told.map_or_else(Cell::missing, |mean| Cell::Mean(mean, None)),
        |(mean, half)| Cell::Mean(mean, half),
    )
}
