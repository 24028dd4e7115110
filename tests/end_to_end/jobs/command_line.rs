//! Jobs from the command line.

use serde_json::{Value, json};

use super::support::{house, test_worker};
use gifthorse_tests::house::House;

fn text(house: &House, arguments: &[&str]) -> String {
    let output = house.command(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
async fn a_model_is_repaired_from_the_command_line() {
    assert!(!test_worker().is_empty());
    let house = house().await;
    let plan = house.json(&["prune", "lab", "--clean", "clean", "--dry-run"]).remove(0);
    assert_eq!((&plan["layer"], &plan["channels"]), (&json!("pool_3"), &json!(6)));
    assert!(text(&house, &["prune", "lab", "--clean", "clean", "--dry-run"]).contains("30 rank, 30 score"));
    assert!(house.json(&["job", "list"]).is_empty(), "a dry run stores nothing");

    let clean = house.folder.path().join("clean.h5");
    let worn = format!("{}:1", house.folder.path().join("worn.h5").display());
    let arguments = [
        "prune",
        "lab",
        "--clean",
        &clean.to_string_lossy(),
        "--triggered",
        &worn,
        "--layer",
        "conv_3",
        "--max-accuracy-drop",
        "0.1",
        "--fine-tune",
        "ft-sam",
        "--epochs",
        "2",
        "--seed",
        "7",
        "--priority",
        "-3",
        "--deadline",
        "10m",
        "--request-id",
        "r-1",
        "--publish",
        "--wait",
    ];
    let job = house.json(&arguments).remove(0);
    let keys = [
        "state",
        "stage",
        "done",
        "total",
        "gate",
        "version",
        "prunedChannels",
        "cleanAccuracyBefore",
        "cleanAccuracyAfter",
        "attackSuccessRateBefore",
        "attackSuccessRateAfter",
    ];
    for key in keys {
        assert!(job.get(key).is_some(), "{key} is not in {job}");
    }
    assert_eq!((&job["state"], &job["gate"]["result"]), (&json!("SUCCEEDED"), &json!("REPAIRED")));
    assert_eq!(job["specification"]["fineTuning"], "FT_SAM");
    let rates: Vec<&Value> = job["attackSuccessRateBefore"].as_object().unwrap().values().collect();
    assert_eq!(rates, [&json!(1.0)]);
    let id = job["name"].as_str().unwrap().trim_start_matches("pruningJobs/").to_owned();
    assert_eq!(house.json(&arguments[..arguments.len() - 1]).remove(0)["name"], job["name"]);

    assert_eq!(house.json(&["job", "show", &id]).remove(0)["name"], job["name"]);
    let shown = text(&house, &["job", "show", &id]);
    assert!(shown.contains("REPAIRED") && shown.contains("100.00 %") && shown.contains("1.00 %"), "{shown}");
    assert!(text(&house, &["job", "list", "lab", "--state", "succeeded"]).contains(&id));
    assert!(house.json(&["job", "list", "--state", "failed"]).is_empty());
    let log = text(&house, &["job", "logs", &id, "-n", "2"]);
    assert!(log.contains("export 6"), "{log}");
    let events = house.json(&["job", "watch", &id, "--after", "2"]);
    assert_eq!(events[0]["sequence"], "3");
    let folder = house.folder.path().join("report");
    let written = house.json(&["job", "report", &id, "-o", &folder.to_string_lossy()]);
    let files: Vec<&str> = written.iter().map(|file| file["fileName"].as_str().unwrap()).collect();
    assert_eq!(files, ["report.html", "report.json"]);
    assert!(std::fs::read_to_string(folder.join("report.json")).unwrap().contains("state"));
    let cancelled = house.command(&["job", "cancel", &id, "--json"]);
    assert_eq!(cancelled.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cancelled.stderr).contains("JOB_ENDED"));
}

#[tokio::test]
async fn a_misspelt_layer_is_answered_with_the_closest_names() {
    let house = house().await;
    let refused = house.command(&["prune", "lab", "--clean", "clean", "--layer", "pool-3"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("did you mean \"pool_3\""), "{said}");
}
