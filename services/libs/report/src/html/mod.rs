//! The page: one file, without scripts and without anything from elsewhere.

pub(crate) mod table;
mod words;

use std::fmt::Write;

use crate::figures::Figure;
use crate::format::{self, escaped};
use crate::names;
use crate::record::{EvaluationRecord, Record};
use crate::tables;

const STYLE: &str = include_str!("style.css");

/// The page of a report; `figures` holds those of each evaluation.
pub(crate) fn page(record: &Record, figures: &[Vec<Figure>]) -> String {
    let mut body = head(record);
    for warning in words::warnings(record) {
        let _ = writeln!(body, "<p class=\"warning\">{}</p>", escaped(&warning));
    }
    body.push_str(words::MEANING);
    body.push_str("<h2>Summary</h2>\n");
    for one in tables::of_report(record) {
        body.push_str(&table::section(&one));
    }
    for (evaluation, figures) in record.evaluations.iter().zip(figures) {
        body.push_str(&section(evaluation, figures));
    }
    body.push_str(words::FILES);
    document(&record.title, &body)
}

/// A whole page: its title as heading, then the body.
pub(crate) fn document(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         {body}</body>\n</html>\n"
    )
}

/// A figure with its caption, which names its files: they lie in `folder`, empty or ending with a slash.
pub(crate) fn figure(figure: &Figure, folder: &str) -> String {
    let files = format!("{folder}{}.svg, .png", figure.name);
    format!(
        "<figure>\n{}<figcaption>{} <code>{}</code></figcaption>\n</figure>\n",
        figure.svg,
        escaped(&figure.caption),
        escaped(&files)
    )
}

fn head(record: &Record) -> String {
    let mut head = format!("<p class=\"meta\">Made {} by gifthorse", escaped(&record.made_at));
    for command in &record.commands {
        let _ = write!(head, "<br><code>{}</code>", escaped(command));
    }
    head.push_str("</p>\n");
    head
}

/// What belongs to one evaluation alone.
fn section(evaluation: &EvaluationRecord, figures: &[Figure]) -> String {
    let mut section = format!("<h2>{}</h2>\n", escaped(&names::network(&evaluation.network)));
    let _ = writeln!(section, "<p class=\"meta\">{}</p>", facts(evaluation));
    for one in tables::of_evaluation(evaluation) {
        section.push_str(&table::section(&one));
    }
    section.push_str(&words::detectors(evaluation));
    for one in figures {
        section.push_str(&figure(one, "figures/"));
    }
    section
}

/// Under which settings it was measured.
fn facts(evaluation: &EvaluationRecord) -> String {
    let code = |text: &str| format!("<code>{}</code>", escaped(text));
    let mut facts = vec![code(&evaluation.network), format!("{} classes", evaluation.class_count)];
    if !evaluation.policy.is_empty() {
        facts.push(format!("decided by {}", code(&evaluation.policy)));
    }
    let others: Vec<_> = evaluation
        .calibrations
        .iter()
        .filter(|calibration| **calibration != evaluation.policy)
        .map(|calibration| code(calibration))
        .collect();
    if !others.is_empty() {
        facts.push(format!("calibrated by {}", others.join(", ")));
    }
    if let Some(alpha) = evaluation.alpha {
        let promise = evaluation.confidence.map_or_else(
            || "on average over calibrations".to_owned(),
            |confidence| format!("with confidence {}", format::level(confidence)),
        );
        facts.push(format!("at most {} of clean images may be rejected, {promise}", format::level(alpha)));
    }
    facts.extend(evaluation.seconds.map(|seconds| format!("measured in {} s", format::number(seconds))));
    facts.join(" · ")
}
