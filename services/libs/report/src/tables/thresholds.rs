//! The first table of the field: false rejections, threshold, false acceptances.

use gifthorse_defence::conformal::{CalibrationError, CalibrationScores, Guarantee};
use gifthorse_defence::level::Level;

use crate::names;
use crate::record::{DetectorRecord, Estimate, EvaluationRecord};
use crate::statistics;
use crate::tables::{Cell, Column, Table};

/// The nominal false rejection rates that the table shows, as ratios.
const NOMINAL: [(u64, u64); 5] = [(1, 200), (1, 100), (1, 50), (1, 20), (1, 10)];

/// Five rows for every detector of every evaluation.
pub(super) fn table(evaluations: &[EvaluationRecord]) -> Table {
    let rows = evaluations.iter().flat_map(|evaluation| {
        evaluation.detectors.iter().flat_map(move |detector| {
            NOMINAL.iter().filter_map(move |(numerator, denominator)| {
                Level::new(*numerator, *denominator).ok().map(|level| row(evaluation, detector, level))
            })
        })
    });
    Table {
        name: "thresholds",
        title: "Thresholds: false rejections against false acceptances".to_owned(),
        note: "For a nominal rate a, the threshold is the k-th smallest of the m calibration scores, \
               k = floor(a (m + 1)): no triggered image is needed to choose it. An image is rejected when its \
               exact score lies below. Rates are those of each detector alone, on the evaluated images, with \
               Wilson's 95 % interval."
            .to_owned(),
        rows: rows.collect(),
        columns: vec![
            Column::plain("network", "network"),
            Column::plain("detector", "detector"),
            Column::plain("m", "calibrationImages"),
            Column::plain("nominal FRR", "nominalFalseRejectionRate"),
            Column::plain("threshold", "threshold"),
            Column::rate("FRR measured", "falseRejectionRate"),
            Column::by_set("FAR, all", "falseAcceptanceRate"),
            Column::by_set("FAR, effective trojans", "falseAcceptanceRateEffective"),
        ],
    }
}

fn row(evaluation: &EvaluationRecord, detector: &DetectorRecord, level: Level) -> Vec<Cell> {
    let calibration = detector.calibration_scores.len();
    let mut cells = vec![
        Cell::Text(names::network(&evaluation.network)),
        Cell::Text(detector.detector.clone()),
        Cell::Count(calibration as u64),
        Cell::Level(level.as_f64()),
    ];
    let derived = CalibrationScores::new(detector.calibration_scores.clone())
        .and_then(|scores| scores.threshold(level, Guarantee::Marginal));
    match derived {
        Ok(derived) => {
            let rejects = |score: &f64| derived.threshold.rejects(*score);
            let rejected = detector.clean_scores.iter().filter(|score| rejects(score)).count();
            cells.push(Cell::Number(derived.threshold.value()));
            cells.push(Cell::rate(statistics::share(rejected, detector.clean_scores.len())));
            cells.push(accepted(evaluation, detector, false, rejects));
            cells.push(accepted(evaluation, detector, true, rejects));
        }
        Err(refusal) => {
            cells.push(Cell::Missing(why(&refusal)));
            cells.extend([Cell::missing(), Cell::missing(), Cell::missing()]);
        }
    }
    cells
}

/// Why there is no threshold, in a few words.
fn why(refusal: &CalibrationError) -> String {
    match refusal {
        CalibrationError::TooFew { need, .. } => format!("not supported, needs m >= {need}"),
        CalibrationError::Empty => "no calibration scores".to_owned(),
        CalibrationError::NotFinite { .. } => "a calibration score is not finite".to_owned(),
    }
}

/// By set, the triggered images that the threshold accepts; of the effective trojans alone, if asked so.
fn accepted(
    evaluation: &EvaluationRecord,
    detector: &DetectorRecord,
    effective_only: bool,
    rejects: impl Fn(&f64) -> bool,
) -> Cell {
    let share = |found: &crate::record::DetectorTriggeredRecord| -> Option<Estimate> {
        let effective = evaluation
            .triggered
            .iter()
            .find(|set| set.dataset == found.dataset)
            .map_or(&[][..], |set| &set.effective);
        if effective_only && effective.is_empty() {
            return None;
        }
        let counted = |index: usize| !effective_only || effective.get(index).copied().unwrap_or_default();
        let scores: Vec<_> = found
            .scores
            .iter()
            .enumerate()
            .filter(|(index, _)| counted(*index))
            .map(|(_, score)| score)
            .collect();
        statistics::share(scores.iter().filter(|score| !rejects(score)).count(), scores.len())
    };
    Cell::BySet(
        detector.triggered.iter().map(|found| (names::dataset(&found.dataset), share(found))).collect(),
    )
}
