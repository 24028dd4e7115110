//! Answers as an aligned table.

use std::fmt;

use gifthorse_api::v1;

use super::answers::Answer;
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
        ]);
        Self { table, classes: usize::try_from(classes).unwrap_or(0), empty: true }
    }

    /// Whether nothing was answered.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Adds the answer to one file. Its first row is the guarded answer; the classes of the network follow,
    /// below the file, when more than one was asked for.
    pub(super) fn add(&mut self, file: &str, answer: &Answer) {
        self.empty = false;
        match answer {
            Answer::Classified(response) => self.classified(file, response),
            Answer::Refused(error) | Answer::Unreadable(error) => {
                let text = format!("error [{}]: {}", error.code, error.message);
                self.table.row([file.to_owned(), String::new(), String::new(), String::new(), text]);
            }
        }
    }

    fn classified(&mut self, file: &str, response: &v1::ClassifyResponse) {
        self.table.row([
            file.to_owned(),
            response.label.to_string(),
            response.label_name.clone(),
            probability(response.probability),
            response.verdict().as_str_name().to_owned(),
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
        rows.add("a.png", &Answer::Classified(Box::new(response)));
        rows.add("b.png", &Answer::Refused(error));
        let lines = [
            "FILE   LABEL  NAME  PROBABILITY  VERDICT",
            "a.png      0  c0       0.750000  UNGUARDED",
            "           0  c0       0.750000",
            "           3  c3       0.250000",
            "b.png                            error [IMAGE_INVALID]: no",
            "",
        ];
        assert_eq!(rows.to_string(), lines.join("\n"));
    }
}
