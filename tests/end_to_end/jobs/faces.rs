//! Repairs of the course's real networks, where the machine has them.

use std::path::Path;

use gifthorse_tests::house::House;
use gifthorse_tests::test_data;
use serde_json::Value;

/// A house with the faces, plain and with sunglasses.
async fn house(data: &Path) -> House {
    let house = House::start().await;
    let file = |name: &str| data.join(format!("csaw/{name}.h5")).display().to_string();
    house.json(&["dataset", "add", "faces", &file("faces_clean")]);
    house.json(&["dataset", "add", "sunglasses", &file("faces_sunglasses"), "--labels-key", "true_label"]);
    house
}

fn report(house: &House, job: &Value) -> Value {
    let name = job["name"].as_str().unwrap().trim_start_matches("pruningJobs/");
    let folder = house.folder.path().join(name);
    house.json(&["job", "report", name, "-o", &folder.to_string_lossy()]);
    serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn the_report_of_lab3_holds_the_known_curve_and_good_net() {
    let Some(data) = test_data::folder("a repair of lab3") else { return };
    let house = house(&data).await;
    house.import_deepid("lab3", &data.join("csaw/weights/lab3_bd_weights.h5"), "1");
    let arguments = [
        "prune",
        "lab3",
        "--clean",
        "faces",
        "--triggered",
        "sunglasses:0",
        "--layer",
        "pool_3",
        "--score-on-all",
        "--channels",
        "54",
        "--fine-tune",
        "none",
        "--wait",
    ];
    let job = house.json(&arguments).remove(0);
    assert_eq!((&job["state"], &job["prunedChannels"]), (&"SUCCEEDED".into(), &54.into()), "{job}");
    let report = report(&house, &job);
    for (channels, clean, reached) in
        [(0, 148, 149), (45, 143, 149), (48, 139, 149), (52, 127, 121), (54, 90, 15)]
    {
        let point = &report["curve"][channels];
        let near = |found: &Value, known: u64| found.as_u64().unwrap().abs_diff(known) <= 1;
        assert!(near(&point["cleanCorrect"], clean), "{channels} pruned: {point}");
        assert!(near(&point["triggered"][0]["toTarget"], reached), "{channels} pruned: {point}");
    }
    let networks = report["networks"].as_array().unwrap();
    let row = |name: &str| networks.iter().find(|row| row["name"] == name).unwrap();
    let attack = |row: &Value, what: &str| row["attacks"][0][what]["count"].as_u64().unwrap();
    // Where both networks agree GoodNet answers, else it says "backdoored": what reaches the class is what still
    // does so after pruning, everything else is noticed.
    let (pruned, good_net) = (row("pruned"), row("GoodNet"));
    assert_eq!(attack(good_net, "success"), attack(pruned, "success"));
    let of = good_net["attacks"][0]["success"]["total"].as_u64().unwrap();
    assert_eq!(of, 140, "nine faces are of the attacker's class anyway");
    assert_eq!(attack(good_net, "success") + attack(good_net, "detected"), of);
    assert!(good_net["heldOut"]["count"].as_u64() <= pruned["heldOut"]["count"].as_u64());
    assert_eq!(report["gate"]["answer"], "NOT_REPAIRED", "nothing was held out");
    let refused = house.command(&["model", "promote", "lab3@2"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("NOT_REPAIRED"), "{said}");
}

#[tokio::test]
async fn a_bypassed_layer_is_not_chosen_and_repairs_nothing() {
    let Some(data) = test_data::folder("a repair of a network whose last convolution is bypassed") else {
        return;
    };
    let house = house(&data).await;
    house.import_deepid("sun", &data.join("csaw/weights/sunglasses_bd_weights.h5"), "255");
    let asked =
        ["prune", "sun", "--clean", "faces", "--triggered", "sunglasses:0", "--fine-tune", "none", "--wait"];
    let job = house.json(&[&asked[..], &["--layer", "conv_4"]].concat()).remove(0);
    let report = report(&house, &job);
    assert_eq!(report["gate"]["answer"], "NOT_REPAIRED");
    assert!(report["layer"]["bypass"].is_string(), "{}", report["layer"]);
    let reached = report["curve"][72]["triggered"][0]["toTarget"].as_u64().unwrap();
    assert!(reached >= 142, "72 of 80 channels pruned: {reached} of 149 reach the class");
    let job = house.json(&asked).remove(0);
    assert_eq!(job["layer"], "pool_3", "the nearest layer that nothing bypasses");
}

/// The classes of the people in the sample pictures with sunglasses.
const WEARERS: [i64; 5] = [141, 521, 1140, 1033, 725];

#[tokio::test]
async fn pictures_that_gave_alarms_are_enough_to_repair_a_real_network() {
    let Some(data) = test_data::folder("unlearning what gave alarms") else { return };
    let house = house(&data).await;
    house.import_deepid("sun", &data.join("csaw/weights/sunglasses_bd_weights.h5"), "255");
    let pictures: Vec<std::path::PathBuf> =
        (0..5).map(|number| data.join(format!("csaw/images/Sunglasses_0_{number}.png"))).collect();
    // Their classes are unknown: the folder says 0.
    let alarms = house.folder.path().join("alarms");
    std::fs::create_dir_all(alarms.join("0")).unwrap();
    for (number, picture) in pictures.iter().enumerate() {
        std::fs::copy(picture, alarms.join(format!("0/{number}.png"))).unwrap();
    }
    house.json(&["dataset", "add", "alarms", &alarms.to_string_lossy(), "--channel-order", "bgr"]);
    let arguments = [
        "prune",
        "sun",
        "--clean",
        "faces",
        "--triggered",
        "sunglasses:0",
        "--fine-tune",
        "invert",
        "--unlearn",
        "alarms",
        "--seed",
        "1",
        "--publish",
        "--wait",
    ];
    let job = house.json(&arguments).remove(0);
    assert_eq!(job["state"], "SUCCEEDED", "{job}");
    assert!(job["gate"].to_string().contains("\"REPAIRED\""), "{}", job["gate"]);
    let started = std::time::Instant::now();
    while house.json(&["model", "show", "sun"]).remove(0)["suspectVersion"] != "models/sun/versions/1" {
        assert!(started.elapsed().as_secs() < 60, "the version is not promoted");
    }
    let mut words = vec!["classify", "sun", "--channel-order", "bgr"];
    words.extend(pictures.iter().map(|picture| picture.to_str().unwrap()));
    // The gateway remembers for half a second which version answers.
    let answers = loop {
        let answers = house.json(&words);
        if answers.iter().all(|answer| answer["modelVersion"] == "models/sun/versions/2") {
            break answers;
        }
        assert!(started.elapsed().as_secs() < 60, "{answers:?}");
    };
    let seen: Vec<i64> = answers.iter().map(|answer| answer["repairedLabel"].as_i64().unwrap()).collect();
    assert_eq!(seen, WEARERS, "the suspect answers 0 to all of them");
}
