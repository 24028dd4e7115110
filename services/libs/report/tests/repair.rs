//! Whole reports of repairs: files, form, independence of place and time.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "common/repair.rs"]
mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gifthorse_defence::pruning::GateAnswer;
use gifthorse_report::ReportError;
use gifthorse_report::repair::{Counts, RepairMethod, RepairRecord, SCHEMA, read, write};

/// What makes a record wrong.
type Change = fn(&mut RepairRecord);

/// The files of a folder by their names; folders are none.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    fs::read_dir(folder).unwrap().map(entry).collect()
}

fn written(record: &RepairRecord) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), record).unwrap();
    let files = files(folder.path());
    assert_eq!(written.files.len(), files.len());
    assert_eq!(written.page, folder.path().join("report.html"));
    files
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> &'a str {
    std::str::from_utf8(&files[name]).unwrap()
}

/// Nothing that a browser would fetch or run.
fn holds_itself(page: &str) {
    for forbidden in ["https:", "src=", "url(", "@import", "<script", "<link", "<iframe", "xlink"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").contains("http:"));
    assert_eq!(page.matches("href=").count(), page.matches("href=\"data:image/png;base64,").count());
    for wrong in ["NaN", "inf ", ">inf", "-0.0 %"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn everything_is_there_and_twice_the_same() {
    let record = common::repair(60, (5, 4), &["sunglasses", "clean"]);
    let files = written(&record);
    assert_eq!(files, written(&record));
    let tables = ["networks", "attacks", "curve", "channels", "training", "synthetic-triggers", "published"];
    assert!(tables.iter().all(|name| files.contains_key(&format!("{name}.csv"))));
    let page = text(&files, "report.html");
    holds_itself(page);
    let figures = [
        "prune-curve",
        "training-curves",
        "activation-maps-clean",
        "activation-maps-sunglasses",
        "activation-maps-clean-2",
    ];
    for figure in figures {
        let picture = image::load_from_memory(&files[&format!("{figure}.png")]).unwrap().into_rgb8();
        assert_eq!(picture.width(), 1520);
        let svg = text(&files, &format!("{figure}.svg"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(page.contains(svg));
    }
    assert_eq!(files.len(), 3 + tables.len() + 2 * figures.len());
    assert_eq!(text(&files, "curve.csv").lines().count(), 1 + 60 * 2);
    assert_eq!(text(&files, "channels.csv").lines().count(), 1 + 60);
    assert_eq!(text(&files, "training.csv").lines().count(), 1 + 10 + 10 + 3 + 1 + 10);
    assert_eq!(text(&files, "networks.csv").lines().count(), 1 + 5 * 3);
    assert_eq!(text(&files, "attacks.csv").lines().count(), 1 + 5 * 2 * 3);
}

#[test]
fn the_json_obeys_its_schema_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    for record in [common::repair(5, (2, 1), &["a", "b"]), common::repair(5, (1, 1), &[])] {
        write(folder.path(), &record).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        schema::check(&schema, &schema, &value, "").unwrap();
        assert_eq!(read(&path).unwrap(), record);
    }
    let good: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut wrong = good.clone();
    wrong["layer"]["surprise"] = 1.into();
    assert!(schema::check(&schema, &schema, &wrong, "").is_err());
    fs::write(&path, wrong.to_string()).unwrap();
    assert!(matches!(read(&path), Err(ReportError::Record { .. })));
    let mut wrong = good.clone();
    wrong["choice"]["channels"] = 1.into();
    fs::write(&path, wrong.to_string()).unwrap();
    assert!(matches!(read(&path), Err(ReportError::RepairInconsistent { .. })));
    // A number that is finite in the file and has no place in the record.
    let mut wrong = good;
    wrong["activationMaps"][0]["values"][0] = 1e300.into();
    fs::write(&path, wrong.to_string()).unwrap();
    let refused = read(&path);
    assert!(
        matches!(refused, Err(ReportError::Record { .. } | ReportError::RepairNotFinite { .. })),
        "{refused:?}"
    );
    fs::write(&path, r#"{"schemaVersion": 9}"#).unwrap();
    assert!(matches!(read(&path), Err(ReportError::SchemaVersion { found: 9, .. })));
}

#[test]
fn every_field_of_a_record_is_in_the_schema() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let value = serde_json::to_value(common::repair(4, (1, 1), &["a"])).unwrap();
    let required: Vec<_> =
        schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(required.iter().collect::<std::collections::BTreeSet<_>>(), keys.iter().collect());
}

#[test]
fn the_numbers_are_on_the_page_and_in_the_tables() {
    let record = common::repair(10, (3, 2), &["sunglasses"]);
    let files = written(&record);
    let page = text(&files, "report.html");
    for words in [
        "Not repaired",
        "NOT_REPAIRED",
        "before 98.7 % (147 of 149), fine-pruned 95.3 % (142 of 149)",
        "before 100.0 % (148 of 148), fine-pruned 8.8 % (13 of 148)",
        "8 of 10 set to zero",
        "5 channels never woke",
        "accuracy may fall by 4 points; the next step falls by 4.7 points",
        "37 of 1283 classes",
        "73 ranked the channels, 149 scored each step",
        "95.76 %",
        "may fall by 10 points",
        "96.7 %",
        "the loss is not a number at step 12",
        "lr = 0.01, rho = 0.5",
        "sha256:5eed",
        "gifthorse repair lab3",
        "target class 0",
        "reports and gates",
        "88.5 %",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let line = |name: &str, start: &str| {
        let file = text(&files, name);
        file.lines().find(|line| line.starts_with(start)).map(str::to_owned).unwrap_or_default()
    };
    assert!(line("networks.csv", "network").starts_with("network,part,correct,total,accuracy,"));
    assert!(line("networks.csv", "fine-pruned,held-out").starts_with("fine-pruned,held-out,142,149,0.953"));
    assert_eq!(line("networks.csv", "pruned,unseen"), "pruned,unseen,,,,,");
    assert!(line("attacks.csv", "GoodNet,datasets/sunglasses,0,detected,").contains(",131,148,0.885"));
    assert!(line("curve.csv", "8,true").starts_with("8,true,114,149,0.76"));
    assert!(line("curve.csv", "9,false").contains(",datasets/sunglasses,148,82,0.55"));
    assert_eq!(line("channels.csv", "3,"), "3,1,0,true,true");
    for (channel, mean) in record.means.iter().enumerate() {
        assert_eq!(line("channels.csv", &format!("{channel},")).split(',').nth(2).unwrap(), mean.to_string());
    }
    for training in &record.trainings {
        for epoch in &training.epochs {
            assert!(text(&files, "training.csv").contains(&format!(",{},{},", epoch.epoch, epoch.mean_loss)));
        }
    }
    assert!(text(&files, "training.csv").contains("\"lr 0.05, rho 0.5\",candidate,"));
    assert!(line("synthetic-triggers.csv", "\"inverted, class 5\"").contains(",5,0.96"));
}

#[test]
fn what_is_missing_is_left_out() {
    let mut bare = common::repair(6, (2, 2), &[]);
    assert!(text(&written(&bare), "report.html").contains("No triggered images were given"));
    bare.method = RepairMethod::Invert;
    bare.activation_maps.clear();
    bare.ranking.clear();
    bare.means.clear();
    bare.dead.clear();
    bare.pruned.clear();
    bare.choice.channels = 0;
    bare.curve.clear();
    bare.published.clear();
    bare.trainings.clear();
    bare.networks.clear();
    bare.gate.synthetic.clear();
    bare.gate.reasons.clear();
    bare.gate.answer = GateAnswer::NotRepaired;
    bare.command.clear();
    bare.notes.clear();
    bare.environment.clear();
    bare.settings.clear();
    let files = written(&bare);
    holds_itself(text(&files, "report.html"));
    assert!(!files.keys().any(|name| Path::new(name).extension().is_some_and(|ending| ending == "svg")));
    assert_eq!(text(&files, "curve.csv").lines().count(), 1);
    assert_eq!(text(&files, "channels.csv").lines().nth(1).unwrap(), "0,,,false,false");

    let mut empty = common::repair(6, (2, 2), &["a"]);
    empty.sets[0].images = 0;
    for point in &mut empty.curve {
        point.triggered[0].to_target = 0;
        point.triggered[0].correct = None;
    }
    for row in &mut empty.networks {
        row.held_out = Counts { count: 0, total: 0 };
        row.attacks.clear();
    }
    let files = written(&empty);
    holds_itself(text(&files, "report.html"));
    assert!(text(&files, "report.html").contains("before –, fine-pruned –"));
}

#[test]
fn many_channels_stay_readable() {
    for (channels, shape) in [(512, (7, 7)), (700, (1, 1)), (3, (100, 90)), (1, (1, 1))] {
        let record = common::repair(channels, shape, &["a"]);
        let files = written(&record);
        let picture = image::load_from_memory(&files["activation-maps-a.png"]).unwrap();
        assert_eq!(picture.width(), 1520);
        assert!(picture.height() < 3_000, "{channels} channels make {} rows", picture.height());
        let svg = text(&files, "activation-maps-a.svg");
        assert_eq!(svg.matches("<image ").count(), 1 + channels.min(600));
        holds_itself(text(&files, "report.html"));
    }
}

#[test]
fn extreme_numbers_leave_the_others_visible() {
    let mut record = common::repair(8, (3, 3), &["a"]);
    record.trainings[2].epochs[2].mean_loss = 4e9;
    record.activation_maps[1].values[0] = -2.0;
    let files = written(&record);
    let svg = text(&files, "training-curves.svg");
    assert!(svg.contains("mean loss (logarithmic)") && !svg.contains("NaN"));
    assert!(text(&files, "activation-maps-clean.svg").contains("-2"));
    assert!(!text(&files, "report.html").contains("Colours go by square roots"));
}

#[test]
fn names_stay_texts() {
    let evil = "\"><script>alert(1)</script>\u{0}../../x";
    let mut record = common::repair(4, (2, 2), &[evil]);
    for text in [
        &mut record.job,
        &mut record.model,
        &mut record.command,
        &mut record.made_at,
        &mut record.layer.name,
        &mut record.clean.dataset,
        &mut record.sets[0].used_for,
        &mut record.choice.rule,
        &mut record.choice.reason,
        &mut record.trainings[1].name,
        &mut record.networks[0].name,
        &mut record.gate.reasons[0],
        &mut record.gate.synthetic[0].name,
        &mut record.published[0].source,
        &mut record.notes[0],
    ] {
        evil.clone_into(text);
    }
    record.layer.bypass = Some(evil.to_owned());
    record.trainings[0].error = Some(evil.to_owned());
    record.trainings[0].parameters.insert(evil.to_owned(), 1.0);
    record.settings.insert(evil.to_owned(), evil.to_owned());
    record.environment.insert(evil.to_owned(), evil.to_owned());
    let files = written(&record);
    let page = text(&files, "report.html");
    holds_itself(page);
    assert!(!page.contains('\u{0}'));
    for name in files.keys() {
        let allowed = |sign: char| sign.is_ascii_alphanumeric() || "._-".contains(sign);
        assert!(name.chars().all(allowed) && !name.contains(".."), "{name}");
        if Path::new(name).extension().is_some_and(|ending| ending == "svg") {
            assert!(!text(&files, name).contains("<script"), "{name}");
        }
    }
}

#[test]
fn wrong_records_are_named_and_leave_no_report() {
    let refused = |change: Change| {
        let mut record = common::repair(10, (2, 2), &["a"]);
        change(&mut record);
        let folder = tempfile::tempdir().unwrap();
        let error = write(folder.path(), &record).unwrap_err();
        assert!(files(folder.path()).is_empty());
        error.to_string()
    };
    let error = refused(|record| record.means[3] = f64::NAN);
    assert_eq!(
        error,
        "the mean activation of channel 3 of the repair repairs/3f2a is NaN: numbers of a report must be finite"
    );
    let cases: [(Change, &str); 20] = [
        (
            |record| record.activation_maps[1].values[5] = f32::INFINITY,
            "value 5 of the activation maps of datasets/a",
        ),
        (|record| record.trainings[0].epochs[2].mean_loss = f64::NAN, "the loss of epoch 3"),
        (|record| record.gate.confidence = 1.5, "the confidence of the gate is 1.5"),
        (|record| record.trainings[0].epochs[1].held_out_accuracy = Some(-0.1), "not in 0..1"),
        (|record| record.published[0].attack_success = Some(2.0), "published attack success"),
        (|record| record.ranking.truncate(9), "the ranking has 9 entries"),
        (|record| record.ranking[0] = record.ranking[1], "names a channel twice"),
        (|record| record.dead[0] = 10, "names channel 10"),
        (|record| record.means.truncate(9), "list of means has 9 entries"),
        (|record| record.pruned.truncate(7), "7 channels are pruned and the choice is 8"),
        (|record| record.pruned[0] = record.ranking[9], "not the first ones of the ranking"),
        (|record| record.activation_maps[0].values.truncate(39), "have 39 values"),
        (|record| record.activation_maps[0].height = 3, "the shape [10, 3, 2]"),
        (|record| record.activation_maps[0].set = "datasets/a".to_owned(), "twice among the activation maps"),
        (|record| record.curve[4].triggered.clear(), "0 of 1 triggered sets"),
        (|record| record.curve[4].clean_correct = 150, "is 150 of 149"),
        (|record| record.curve[4].channels = 3, "does not rise to 3"),
        (|record| record.curve.truncate(5), "not on the curve"),
        (|record| record.networks[0].attacks[0].set = "b".to_owned(), "none of the triggered sets"),
        (|record| record.gate.synthetic[0].after = 61, "is 61 of 60"),
    ];
    for (change, words) in cases {
        let error = refused(change);
        assert!(error.contains(words) && error.contains("repairs/3f2a"), "{error}");
    }
}
