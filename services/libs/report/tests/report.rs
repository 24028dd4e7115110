//! Whole reports: files, form, independence of place and time.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gifthorse_api::v1::{Evaluation, ImageTensor, ScoreList};
use gifthorse_report::{Record, Report, ReportError, SCHEMA, Written, read, write, write_record};

const NETWORK: &str = "models/faces/versions/3";

fn report(evaluations: Vec<Evaluation>) -> Report {
    Report {
        title: "Faces & <friends>".to_owned(),
        evaluations,
        made_at: "2026-01-02T03:04:05Z".to_owned(),
        command: "gifthorse evaluate faces --clean faces.h5".to_owned(),
    }
}

/// The files of a folder by their names.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn written(report: &Report) -> (Written, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), report).unwrap();
    (written, files(folder.path()))
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> &'a str {
    std::str::from_utf8(&files[name]).unwrap()
}

/// Nothing that a browser would fetch or run.
fn holds_itself(page: &str) {
    for forbidden in ["https:", "src=", "url(", "@import", "<script", "<link", "<iframe", "xlink"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let elsewhere = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!elsewhere.contains("http:"));
    assert_eq!(page.matches("href=").count(), page.matches("href=\"data:image/png;base64,").count());
    for wrong in ["NaN", "inf ", ">inf", "-0.0 %"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn everything_is_there_and_twice_the_same() {
    let sets = ["sunglasses", "eye/brows", "eye-brows"];
    let report = report(vec![common::evaluation(NETWORK, 60, &sets)]);
    let (written_files, files) = written(&report);
    assert_eq!(files, written(&report).1);
    assert_eq!(written_files.files.len(), files.len());
    assert!(written_files.page.ends_with("report.html"));

    for name in [
        "report.json",
        "report.schema.json",
        "tables/summary-clean.csv",
        "tables/summary-triggered.csv",
        "tables/networks.csv",
        "tables/thresholds.csv",
        "tables/detectors.csv",
        "tables/scores.csv",
        "tables/operating-curve.csv",
        "tables/passes.csv",
    ] {
        assert!(files.contains_key(name), "{name}");
    }
    for figure in [
        "perturbation",
        "evidence",
        "fused-scores",
        "fused-rates",
        "fused-frr-far",
        "fused-roc",
        "strip_entropy-scores",
        "strip_entropy-roc",
        "passes",
    ] {
        let png = &files[&format!("figures/faces-v3-{figure}.png")];
        let picture = image::load_from_memory(png).unwrap().into_rgb8();
        assert_eq!(picture.width(), 1520);
        assert!(picture.pixels().any(|pixel| pixel.0 != [255; 3]));
        let svg = text(&files, &format!("figures/faces-v3-{figure}.svg"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(text(&files, "report.html").contains(svg));
    }
    let page = text(&files, "report.html");
    holds_itself(page);
    assert!(page.contains("<title>Faces &amp; &lt;friends&gt;</title>"));
    assert!(page.contains("only 60 images of faces measured"));
    assert!(page.contains("not supported, needs m &gt;= 199"));
    assert!(page.contains("40 calibration inputs, needs 99"));
    // 99 calibration images support four of the five levels, 40 support two; a level that is not supported has
    // one line, the others one a triggered set.
    let lines = 1 + 2 * (4 * 3 + 1) + (2 * 3 + 3);
    assert_eq!(text(&files, "tables/thresholds.csv").lines().count(), lines);
    assert_eq!(text(&files, "tables/scores.csv").lines().count(), 1 + 2 * 99 + 40 + 3 * (60 + 3 * 40));
    assert_eq!(text(&files, "tables/passes.csv").lines().count(), 1 + 60 + 3 * 40);
}

#[test]
fn the_json_obeys_its_schema_and_comes_back() {
    let report = report(vec![common::evaluation(NETWORK, 30, &["a", "b"]), common::evaluation("x", 3, &[])]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &report).unwrap();
    let path = folder.path().join("report.json");
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    schema::check(&schema, &schema, &value, "").unwrap();

    let record = read(&path).unwrap();
    let again = tempfile::tempdir().unwrap();
    write_record(again.path(), &record).unwrap();
    assert_eq!(files(folder.path()), files(again.path()));

    let mut wrong = value.clone();
    wrong["evaluations"][0]["surprise"] = 1.into();
    assert!(schema::check(&schema, &schema, &wrong, "").is_err());
    fs::write(&path, wrong.to_string()).unwrap();
    assert!(matches!(read(&path), Err(ReportError::Record { .. })));
    fs::write(&path, r#"{"schemaVersion": 9, "else": 1}"#).unwrap();
    assert!(matches!(read(&path), Err(ReportError::SchemaVersion { found: 9, .. })));
    assert!(matches!(read(&folder.path().join("none")), Err(ReportError::File { .. })));
}

#[test]
fn several_reports_become_one() {
    let one = |network: &str| {
        let report = report(vec![common::evaluation(network, 25, &["sunglasses"])]);
        Record::new(report.title, report.made_at, report.command, &report.evaluations).unwrap()
    };
    let merge = |records| Record::merge("All".to_owned(), "now".to_owned(), records);
    let merged = merge(vec![one("models/a/versions/1"), one("models/b/versions/1")]).unwrap();
    assert_eq!((merged.evaluations.len(), merged.commands.len()), (2, 1));
    let folder = tempfile::tempdir().unwrap();
    write_record(folder.path(), &merged).unwrap();
    let files = files(folder.path());
    assert!(
        files.contains_key("figures/a-v1-fused-roc.svg") && files.contains_key("figures/b-v1-fused-roc.svg")
    );
    assert_eq!(text(&files, "tables/networks.csv").lines().count(), 3);
    assert!(matches!(merge(Vec::new()), Err(ReportError::Empty)));
}

#[test]
fn what_is_missing_is_left_out() {
    let (_, clean_only) = written(&report(vec![common::evaluation(NETWORK, 200, &[])]));
    assert!(clean_only.contains_key("figures/faces-v3-fused-scores.svg"));
    assert!(!clean_only.contains_key("figures/faces-v3-fused-roc.svg"));
    holds_itself(text(&clean_only, "report.html"));

    let (_, empty) = written(&report(vec![Evaluation::default()]));
    holds_itself(text(&empty, "report.html"));

    // Nothing but scores: no intervals, no passes, no pictures, all scores the same.
    let mut bare = common::evaluation(NETWORK, 1, &["a"]);
    bare.clean_accuracy = None;
    bare.false_rejection_rate = None;
    bare.clean_passes.clear();
    bare.illustrations.clear();
    bare.triggered[0].effective.clear();
    for detector in &mut bare.detectors {
        detector.clean_scores = vec![1.0];
        detector.triggered_scores[0].scores = vec![1.0; 3];
        detector.threshold = 1.0;
    }
    let (_, bare) = written(&report(vec![bare]));
    assert!(!bare.contains_key("figures/faces-v3-evidence.svg"));
    holds_itself(text(&bare, "report.html"));
}

#[test]
fn names_stay_texts() {
    let evil = "\"><script>alert(1)</script>\u{0}../../x";
    let mut evaluation = common::evaluation(evil, 10, &[evil]);
    evaluation.policy = evil.to_owned();
    evaluation.detectors[0].detector = evil.to_owned();
    let mut report = report(vec![evaluation]);
    report.title = evil.to_owned();
    report.command = evil.to_owned();
    let (_, files) = written(&report);
    holds_itself(text(&files, "report.html"));
    assert!(!text(&files, "report.html").contains('\u{0}'));
    for name in files.keys() {
        let allowed = |sign: char| sign.is_ascii_alphanumeric() || "._-/".contains(sign);
        assert!(name.chars().all(allowed) && !name.contains(".."), "{name}");
        if Path::new(name).extension().is_some_and(|ending| ending == "svg") {
            assert!(!text(&files, name).contains("<script"), "{name}");
        }
    }
}

#[test]
fn wrong_numbers_are_named_and_leave_no_report() {
    let refused = |change: fn(&mut Evaluation)| {
        let mut evaluation = common::evaluation(NETWORK, 5, &["a"]);
        change(&mut evaluation);
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), &report(vec![evaluation])).unwrap_err();
        assert!(files(folder.path()).is_empty());
        error
    };
    let error = refused(|evaluation| evaluation.detectors[1].clean_scores[2] = f64::NAN);
    assert_eq!(
        error.to_string(),
        "a clean score of strip_entropy of the evaluation of models/faces/versions/3 is NaN: scores and rates must \
         be finite numbers"
    );
    let error = refused(|evaluation| evaluation.detectors[0].threshold = f64::NEG_INFINITY);
    assert!(matches!(error, ReportError::NotFinite { .. }));
    let error = refused(|evaluation| {
        evaluation.detectors[0].triggered_scores =
            vec![ScoreList { dataset: "datasets/a".to_owned(), scores: vec![1.0; 3] }];
    });
    assert!(matches!(error, ReportError::Inconsistent { .. }), "{error}");
    let error = refused(|evaluation| evaluation.illustrations[0].image = Some(ImageTensor::default()));
    assert!(matches!(error, ReportError::Picture { .. }));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(write(folder.path(), &report(Vec::new())), Err(ReportError::Empty)));
}
