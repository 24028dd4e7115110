//! What was found, as an aligned table: a row a picture and detector.

use std::fmt;

use gifthorse_api::v1;

use super::super::findings;
use super::super::in_order::Answer;
use crate::output::number::{Bound, number};
use crate::output::table::{Align, Table};

/// Classes that are listed of the votes.
const VOTES: usize = 3;

/// The rows of the table, gathered until the widths of the columns are known.
pub(super) struct Rows {
    table: Table,
    empty: bool,
}

impl Rows {
    /// No rows; with a column for the classes of the copies, where they were asked for.
    pub(super) fn new(votes: bool) -> Self {
        let mut columns = vec![
            ("FILE", Align::Left),
            ("VERDICT", Align::Left),
            ("DETECTOR", Align::Left),
            ("P-VALUE", Align::Right),
            ("SCORE", Align::Right),
            ("THRESHOLD", Align::Right),
            ("PASSES", Align::Right),
            ("STOP", Align::Left),
            ("LABEL", Align::Right),
            ("EVIDENCE", Align::Left),
        ];
        if votes {
            columns.push(("VOTES", Align::Left));
        }
        Self { table: Table::new(&columns), empty: true }
    }

    /// Whether nothing was answered.
    pub(super) const fn is_empty(&self) -> bool {
        self.empty
    }

    /// Adds what was found in one file.
    pub(super) fn add(&mut self, file: &str, answer: &Answer<v1::ScanResponse>) {
        self.empty = false;
        match answer {
            Answer::Given(response) => self.scanned(file, response),
            Answer::Refused(error) | Answer::Unreadable(error) => {
                let mut cells = vec![file.to_owned()];
                // In the last column, where a long message widens no other.
                cells.resize(9, String::new());
                cells.push(format!("error [{}]: {}", error.code, error.message));
                self.table.row(cells);
            }
        }
    }

    /// The first row is the verdict; where one detector alone speaks, it shares that row.
    fn scanned(&mut self, file: &str, response: &v1::ScanResponse) {
        let verdict = response.verdict();
        let bound = Bound::of_verdict(response.p_value_is_bound, verdict);
        let head = [file.to_owned(), verdict.as_str_name().to_owned()];
        let label = response.network_label.to_string();
        if let [only] = response.detectors.as_slice() {
            self.table.row(head.into_iter().chain(cells(only, label)));
            return;
        }
        let (blank, p_value) = (String::new, bound.mark(response.p_value));
        let rest = [blank(), p_value, blank(), blank(), blank(), blank(), label];
        self.table.row(head.into_iter().chain(rest));
        for finding in &response.detectors {
            self.table.row([blank(), blank()].into_iter().chain(cells(finding, blank())));
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(formatter)
    }
}

/// The cells from DETECTOR on.
fn cells(finding: &v1::DetectorFinding, label: String) -> [String; 9] {
    let reason = finding.stop_reason();
    let mark = |is_bound, value| Bound::of_finding(is_bound, reason).mark(value);
    let votes = finding.votes.iter().take(VOTES).map(|vote| format!("{} x {}", vote.copies, vote.label));
    [
        finding.detector.clone(),
        mark(finding.p_value_is_bound, finding.p_value),
        mark(finding.score_is_bound, finding.score),
        number(finding.threshold),
        finding.passes_used.to_string(),
        reason.as_str_name().to_owned(),
        label,
        findings::one(finding).unwrap_or_default(),
        votes.collect::<Vec<_>>().join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use gifthorse_api::v1::detector_finding::StopReason;

    use super::*;
    use crate::output::report::ErrorObject;

    fn finding(detector: &str, rejected: bool, reason: StopReason) -> v1::DetectorFinding {
        v1::DetectorFinding {
            detector: detector.to_owned(),
            score: -1.5,
            score_is_bound: reason == StopReason::AcceptedEarly,
            p_value: 0.25,
            p_value_is_bound: reason == StopReason::AcceptedEarly,
            threshold: -2.0,
            passes_used: 12,
            stop_reason: reason.into(),
            rejected,
            ..Default::default()
        }
    }

    #[test]
    fn one_detector_shares_the_row_of_the_verdict_and_several_follow_it() {
        let one = v1::ScanResponse {
            verdict: v1::verdict::Kind::Clean.into(),
            detectors: vec![finding("fused", false, StopReason::AcceptedEarly)],
            network_label: 3,
            ..Default::default()
        };
        let several = v1::ScanResponse {
            verdict: v1::verdict::Kind::Trojaned.into(),
            p_value: 0.005,
            detectors: vec![
                finding("strip_margin", false, StopReason::Exhausted),
                finding("region_paste", true, StopReason::Exhausted),
            ],
            network_label: 5,
            ..Default::default()
        };
        let error = ErrorObject {
            code: "IMAGE_INVALID".to_owned(),
            status: "INVALID_ARGUMENT",
            message: "no".to_owned(),
        };
        let mut rows = Rows::new(false);
        rows.add("a.png", &Answer::Given(Box::new(one)));
        rows.add("b.png", &Answer::Given(Box::new(several)));
        rows.add("c.png", &Answer::Unreadable(error));
        let text = rows.to_string();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1],
            ["a.png", "CLEAN", "fused", ">=0.2500", ">=-1.5000", "-2.0000", "12", "ACCEPTED_EARLY", "3"]
        );
        assert_eq!(lines[2], ["b.png", "TROJANED", "0.0050", "5"]);
        assert_eq!(lines[4].last(), Some(&"region_paste"), "{text}");
        assert_eq!(lines[5], ["c.png", "error", "[IMAGE_INVALID]:", "no"]);
    }
}
