//! Comma-separated files (RFC 4180): the tables with full digits, and all numbers behind the figures.

use crate::record::{Estimate, EvaluationRecord, Record};
use crate::statistics;
use crate::tables::{Cell, Kind, Table};

/// The file of a table. A rate becomes four columns; a row on several triggered sets becomes several rows.
pub(crate) fn of_table(table: &Table) -> String {
    let by_set = table.columns.iter().any(|column| column.kind == Kind::RateBySet);
    let mut heads = Vec::new();
    for column in &table.columns {
        if column.kind == Kind::Plain {
            heads.push(column.key.to_owned());
        } else {
            heads.extend(["", "Lower", "Upper", "Observations"].map(|end| column.key.to_owned() + end));
        }
    }
    if by_set {
        heads.push("dataset".to_owned());
    }
    let mut file = line(&heads);
    for row in &table.rows {
        let sets = if by_set { sets_of(row) } else { vec![String::new()] };
        for set in sets {
            let mut fields = Vec::new();
            for (cell, column) in row.iter().zip(&table.columns) {
                if column.kind == Kind::Plain {
                    fields.push(plain(cell));
                } else {
                    fields.extend(rate(cell, &set));
                }
            }
            if by_set {
                fields.push(set);
            }
            file.push_str(&line(&fields));
        }
    }
    file
}

/// The triggered sets that a row tells of; one without a name when it tells of none.
fn sets_of(row: &[Cell]) -> Vec<String> {
    let mut sets = Vec::new();
    for cell in row {
        if let Cell::BySet(rates) = cell {
            for (set, _) in rates {
                if !sets.contains(set) {
                    sets.push(set.clone());
                }
            }
        }
    }
    if sets.is_empty() { vec![String::new()] } else { sets }
}

fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Missing(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Number(value) | Cell::Level(value) | Cell::Mean(value, _) => value.to_string(),
        Cell::Rate(estimate) | Cell::Area(estimate) => estimate.estimate.to_string(),
        Cell::BySet(_) => String::new(),
    }
}

fn rate(cell: &Cell, set: &str) -> [String; 4] {
    let numbers = |estimate: &Estimate| {
        let Estimate { estimate, lower, upper, observations, .. } = estimate;
        [estimate.to_string(), lower.to_string(), upper.to_string(), observations.to_string()]
    };
    match cell {
        Cell::Rate(estimate) | Cell::Area(estimate) => numbers(estimate),
        Cell::BySet(rates) => rates
            .iter()
            .find(|(name, _)| name == set)
            .and_then(|(_, estimate)| estimate.as_ref())
            .map(numbers)
            .unwrap_or_default(),
        _ => <[String; 4]>::default(),
    }
}

/// Every score of every image and detector, calibration images among them.
pub(crate) fn scores(record: &Record) -> String {
    let mut file = line(&["network", "detector", "set", "dataset", "image", "score", "effective"]);
    for evaluation in &record.evaluations {
        for detector in &evaluation.detectors {
            let mut add = |set: &str, dataset: &str, scores: &[f64], effective: &[bool]| {
                for (image, score) in scores.iter().enumerate() {
                    let effective = effective.get(image).map(bool::to_string).unwrap_or_default();
                    let (image, score) = (image.to_string(), score.to_string());
                    let name: &str = &detector.detector;
                    file.push_str(&line(&[
                        &evaluation.network,
                        name,
                        set,
                        dataset,
                        &image,
                        &score,
                        &effective,
                    ]));
                }
            };
            add("calibration", "", &detector.calibration_scores, &[]);
            add("clean", &evaluation.clean_dataset, &detector.clean_scores, &[]);
            for found in &detector.triggered {
                add("triggered", &found.dataset, &found.scores, effective(evaluation, &found.dataset));
            }
        }
    }
    file
}

fn effective<'a>(evaluation: &'a EvaluationRecord, dataset: &str) -> &'a [bool] {
    evaluation.triggered.iter().find(|set| set.dataset == dataset).map_or(&[], |set| &set.effective)
}

/// Every operating point of every detector and triggered set.
pub(crate) fn operating_curve(record: &Record) -> String {
    let heads = ["network", "detector", "dataset", "threshold", "falseRejectionRate", "falseAcceptanceRate"];
    let mut file = line(&heads);
    for evaluation in &record.evaluations {
        for detector in &evaluation.detectors {
            for found in &detector.triggered {
                for point in statistics::operating_points(&detector.clean_scores, &found.scores) {
                    // Beyond every score there is no number: an empty field stands for infinity.
                    let threshold = point.threshold.map(|value| value.to_string()).unwrap_or_default();
                    file.push_str(&line(&[
                        &evaluation.network,
                        &detector.detector,
                        &found.dataset,
                        &threshold,
                        &point.false_rejection.to_string(),
                        &point.false_acceptance.to_string(),
                    ]));
                }
            }
        }
    }
    file
}

/// The passes that early stopping took on every image.
pub(crate) fn passes(record: &Record) -> String {
    let mut file = line(&["network", "set", "dataset", "image", "passes"]);
    for evaluation in &record.evaluations {
        let mut add = |set: &str, dataset: &str, passes: &[u32]| {
            for (image, passes) in passes.iter().enumerate() {
                let (image, passes) = (image.to_string(), passes.to_string());
                file.push_str(&line(&[&evaluation.network, set, dataset, &image, &passes]));
            }
        };
        add("clean", &evaluation.clean_dataset, &evaluation.clean_passes);
        for set in &evaluation.triggered {
            add("triggered", &set.dataset, &set.passes);
        }
    }
    file
}

/// One line of fields, each quoted where it must be.
pub(crate) fn line(fields: &[impl AsRef<str>]) -> String {
    let fields: Vec<_> = fields.iter().map(|text| field(text.as_ref())).collect();
    fields.join(",") + "\r\n"
}

/// A field, quoted where it must be. A text that a spreadsheet would run as a formula is quoted with a mark.
fn field(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok();
    let formula = !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Column;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(line(&["a", "b,c", "d\"e", "-1.5", "=1+1"]), "a,\"b,c\",\"d\"\"e\",-1.5,'=1+1\r\n");
    }

    #[test]
    fn a_row_on_several_sets_becomes_several_rows() {
        let estimate = statistics::share(1, 2);
        let sets = vec![("x".to_owned(), estimate), ("y".to_owned(), None)];
        let table = Table {
            name: "t",
            title: String::new(),
            note: String::new(),
            columns: vec![Column::plain("Net", "net"), Column::by_set("FAR", "far")],
            rows: vec![vec![Cell::Text("n".to_owned()), Cell::BySet(sets)]],
        };
        let file = of_table(&table);
        let lines: Vec<_> = file.lines().collect();
        assert_eq!(lines[0], "net,far,farLower,farUpper,farObservations,dataset");
        assert!(lines[1].starts_with("n,0.5,0.0") && lines[1].ends_with(",2,x"), "{file}");
        assert_eq!(lines[2], "n,,,,,y");
    }
}
