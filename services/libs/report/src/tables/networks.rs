//! The second table of the field: network, threshold, accuracy of the guarded answer, residual attacks.

use crate::names;
use crate::record::EvaluationRecord;
use crate::tables::{Cell, Column, Table};

/// One row a network.
pub(super) fn table(evaluations: &[EvaluationRecord]) -> Table {
    let rows = evaluations.iter().map(|evaluation| {
        let deciding = evaluation.detectors.iter().filter(|detector| detector.decides);
        let names: Vec<_> = deciding.clone().map(|detector| detector.detector.as_str()).collect();
        let thresholds: Vec<_> = deciding.map(|detector| detector.threshold).collect();
        let threshold = match thresholds[..] {
            [one] => Cell::number(one),
            [] => Cell::missing(),
            _ => Cell::Missing("one a detector".to_owned()),
        };
        let by_set = |rate: fn(&crate::record::TriggeredRecord) -> Option<crate::record::Estimate>| {
            Cell::BySet(
                evaluation.triggered.iter().map(|set| (names::dataset(&set.dataset), rate(set))).collect(),
            )
        };
        vec![
            Cell::Text(names::network(&evaluation.network)),
            Cell::Text(names.join(", ")),
            evaluation.alpha.map_or_else(Cell::missing, Cell::Level),
            threshold,
            Cell::rate(evaluation.guarded_clean_accuracy),
            Cell::rate(evaluation.clean_accuracy),
            by_set(|set| set.residual_attack_success_rate),
            by_set(|set| set.attack_success_rate),
        ]
    });
    Table {
        name: "networks",
        title: "Networks".to_owned(),
        note: "Threshold, accuracy of the guarded answer and what is left of the attack, one row a network."
            .to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("network", "network"),
            Column::plain("decided by", "detector"),
            Column::plain("nominal FRR", "nominalFalseRejectionRate"),
            Column::plain("threshold", "threshold"),
            Column::rate("accuracy of the guarded answer", "guardedCleanAccuracy"),
            Column::rate("before, network alone", "cleanAccuracy"),
            Column::by_set("residual attack success", "residualAttackSuccessRate"),
            Column::by_set("before, network alone", "attackSuccessRate"),
        ],
    }
}
