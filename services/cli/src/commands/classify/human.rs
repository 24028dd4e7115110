//! Answers as an aligned table.

use std::fmt;

use gifthorse_api::v1;

use super::super::findings::evidence;
use super::super::in_order::Answer;
use crate::output::number::Bound;
use crate::output::table::{Align, Table};

/// The rows of the table, gathered until the widths of the columns are known.
pub(super) struct Rows {
    table: Table,
    classes: usize,
    empty: bool,
}

impl Rows {
    /// No rows; each answer lists up to `classes` classes.
    pub(super) fn new(classes: i32) -> Self {
        let table = Table::new(&[
            ("FILE", Align::Left),
            ("LABEL", Align::Right),
            ("NAME", Align::Left),
            ("PROBABILITY", Align::Right),
            ("VERDICT", Align::Left),
            ("P-VALUE", Align::Right),
            ("NETWORK", Align::Right),
            ("REPAIRED", Align::Right),
            ("EVIDENCE", Align::Left),
        ]);
        Self { table, classes: usize::try_from(classes).unwrap_or(0), empty: true }
    }

    /// Whether nothing was answered.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Adds the answer to one file. Its first row is the guarded answer; the classes of the network follow,
    /// below the file, when more than one was asked for.
    pub(super) fn add(&mut self, file: &str, answer: &Answer<v1::ClassifyResponse>) {
        self.empty = false;
        match answer {
            Answer::Given(response) => self.classified(file, response),
            Answer::Refused(error) | Answer::Unreadable(error) => {
                let text = format!("error [{}]: {}", error.code, error.message);
                let mut cells = vec![file.to_owned()];
                // In the last column, where a long message widens no other.
                cells.resize(8, String::new());
                cells.push(text);
                self.table.row(cells);
            }
        }
    }

    fn classified(&mut self, file: &str, response: &v1::ClassifyResponse) {
        let verdict = response.verdict();
        let bound = Bound::of_verdict(response.p_value_is_bound, verdict);
        // The probability is that of the network's own class, which is told where the answer is another one; of a
        // pair the network is the suspect, and what the repaired one sees is told beside it.
        let network = (response.label != response.network_label).then(|| response.network_label.to_string());
        self.table.row([
            file.to_owned(),
            response.label.to_string(),
            name(response),
            probability(response.probability),
            verdict.as_str_name().to_owned(),
            response.p_value.map(|value| bound.mark(value)).unwrap_or_default(),
            network.unwrap_or_default(),
            response.repaired_label.map(|label| label.to_string()).unwrap_or_default(),
            evidence(&response.detectors),
        ]);
        if self.classes < 2 {
            return;
        }
        for class in response.top.iter().take(self.classes) {
            let name = class.label_name.clone();
            self.table.row([String::new(), class.label.to_string(), name, probability(class.probability)]);
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(formatter)
    }
}

/// Index M has a name even in a model whose classes have none.
fn name(response: &v1::ClassifyResponse) -> String {
    if response.label_name.is_empty() && response.verdict() == v1::verdict::Kind::Trojaned {
        "backdoored".to_owned()
    } else {
        response.label_name.clone()
    }
}

fn probability(value: f64) -> String {
    format!("{value:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::report::ErrorObject;

    #[test]
    fn answers_errors_and_further_classes_are_rows() {
        let top =
            |label, probability| v1::ClassProbability { label, label_name: format!("c{label}"), probability };
        let response = v1::ClassifyResponse {
            label: 0,
            label_name: "c0".to_owned(),
            probability: 0.75,
            verdict: v1::verdict::Kind::Unguarded.into(),
            top: vec![top(0, 0.75), top(3, 0.25)],
            ..Default::default()
        };
        let error = ErrorObject {
            code: "IMAGE_INVALID".to_owned(),
            status: "INVALID_ARGUMENT",
            message: "no".to_owned(),
        };
        let mut rows = Rows::new(2);
        rows.add("a.png", &Answer::Given(Box::new(response)));
        rows.add("b.png", &Answer::Refused(error));
        let lines = [
            "FILE   LABEL  NAME  PROBABILITY  VERDICT    P-VALUE  NETWORK  REPAIRED  EVIDENCE",
            "a.png      0  c0       0.750000  UNGUARDED",
            "           0  c0       0.750000",
            "           3  c3       0.250000",
            "b.png                                                                   error [IMAGE_INVALID]: no",
            "",
        ];
        assert_eq!(rows.to_string(), lines.join("\n"));
    }

    #[test]
    fn a_trojaned_picture_shows_both_answers_and_the_evidence() {
        let finding = v1::DetectorFinding {
            detector: "region_paste".to_owned(),
            rejected: true,
            evidence: Some(v1::Region { top: 14, left: 0, height: 14, width: 47 }),
            ..Default::default()
        };
        let response = v1::ClassifyResponse {
            label: 1283,
            network_label: 5,
            repaired_label: Some(577),
            probability: 1.0,
            verdict: v1::verdict::Kind::Trojaned.into(),
            p_value: Some(0.01),
            p_value_is_bound: true,
            detectors: vec![finding],
            ..Default::default()
        };
        let mut rows = Rows::new(1);
        rows.add("a.png", &Answer::Given(Box::new(response)));
        let lines = [
            "FILE   LABEL  NAME        PROBABILITY  VERDICT    P-VALUE  NETWORK  REPAIRED  EVIDENCE",
            "a.png   1283  backdoored     1.000000  TROJANED  <=0.0100        5       577  region_paste, rows 14-27, columns 0-46",
            "",
        ];
        assert_eq!(rows.to_string(), lines.join("\n"));
    }
}
