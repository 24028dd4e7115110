//! The detectors side by side, each judged alone by its exact scores.

use crate::detectors;
use crate::names;
use crate::record::{DetectorRecord, EvaluationRecord};
use crate::statistics;
use crate::tables::{Cell, Column, Table};

/// One row for every detector and triggered set, or one for the clean images where no set was measured.
pub(super) fn table(evaluations: &[EvaluationRecord]) -> Table {
    let rows = evaluations.iter().flat_map(|evaluation| {
        evaluation.detectors.iter().flat_map(move |detector| rows_of(evaluation, detector))
    });
    Table {
        name: "detectors",
        title: "Detectors side by side".to_owned(),
        note:
            "Each detector alone, exact scores, at its own threshold. Those marked yes made the verdict; the \
               others are shown for comparison."
                .to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("network", "network"),
            Column::plain("detector", "detector"),
            Column::plain("decides", "decides"),
            Column::plain("passes", "passes"),
            Column::plain("threshold", "threshold"),
            Column::plain("unit", "unit"),
            Column::rate("FRR", "falseRejectionRate"),
            Column::plain("triggered images", "dataset"),
            Column::rate("AUROC", "auroc"),
            Column::rate("FAR, all", "falseAcceptanceRate"),
            Column::rate("FAR, effective trojans", "falseAcceptanceRateEffective"),
        ],
    }
}

fn rows_of(evaluation: &EvaluationRecord, detector: &DetectorRecord) -> Vec<Vec<Cell>> {
    let threshold = detector
        .threshold
        .map_or_else(|| Cell::Missing(detector.refusal.clone().unwrap_or_default()), Cell::Number);
    let start = vec![
        Cell::Text(names::network(&evaluation.network)),
        Cell::Text(detector.detector.clone()),
        Cell::Text(if detector.decides { "yes" } else { "no" }.to_owned()),
        Cell::Count(detector.passes.into()),
        threshold,
        Cell::Text(detectors::unit(&detector.detector).to_owned()),
        Cell::rate(detector.false_rejection_rate),
    ];
    let ends: Vec<Vec<Cell>> = if detector.triggered.is_empty() {
        vec![vec![Cell::missing(), Cell::missing(), Cell::missing(), Cell::missing()]]
    } else {
        let of_set = |found: &crate::record::DetectorTriggeredRecord| {
            let (clean, triggered) = (detector.clean_scores.len(), found.scores.len());
            let area = found.auroc.and_then(|area| statistics::area(area, clean, triggered));
            vec![
                Cell::Text(names::dataset(&found.dataset)),
                area.map_or_else(Cell::missing, Cell::Area),
                Cell::rate(found.false_acceptance_rate),
                Cell::rate(found.false_acceptance_rate_effective),
            ]
        };
        detector.triggered.iter().map(of_set).collect()
    };
    ends.into_iter().map(|end| [start.clone(), end].concat()).collect()
}
