//! The real BadNets: golden entropies, and index M for what really carries a trigger.

use std::path::Path;

use gifthorse_tests::house::House;
use gifthorse_tests::test_data;
use serde_json::Value;

use super::support::{add, store};

/// The class after the last one.
const BACKDOORED: i64 = 1283;

fn faces(data: &Path, kind: &str) -> (ndarray::Array4<u8>, Vec<i64>) {
    let file = hdf5::File::open(data.join(format!("csaw/faces_{kind}.h5"))).unwrap();
    let images: ndarray::Array4<u8> = file.dataset("data").unwrap().read().unwrap();
    let labels: ndarray::Array1<f64> = file.dataset("label").unwrap().read().unwrap();
    (images, labels.iter().map(|label| *label as i64).collect())
}

fn part(
    all: &(ndarray::Array4<u8>, Vec<i64>),
    rows: std::ops::Range<usize>,
) -> (ndarray::Array4<u8>, Vec<i64>) {
    (all.0.slice_axis(ndarray::Axis(0), rows.clone().into()).to_owned(), all.1[rows].to_vec())
}

fn pictures(data: &Path, names: &[String]) -> Vec<String> {
    let path = |name: &String| data.join("csaw/images").join(name).to_string_lossy().into_owned();
    names.iter().map(path).collect()
}

fn calibrated(house: &House, arguments: &[&str]) -> String {
    let answers = house.json(&[&["calibrate"], arguments].concat());
    answers[0]["name"].as_str().expect("a calibration has a name").to_owned()
}

#[tokio::test]
async fn entropies_are_the_golden_ones_on_all_networks_and_pictures() {
    let Some(data) = test_data::folder("the golden entropies") else { return };
    let house = House::start().await;
    let clean = faces(&data, "clean");
    let (bank, rest) = (part(&clean, 0..20), part(&clean, 20..149));
    let bank = store(&house, "bank", &bank.0, &bank.1);
    let rest = store(&house, "rest", &rest.0, &rest.1);
    let text = std::fs::read_to_string(data.join("csaw/golden_strip.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<String> = serde_json::from_value(golden["images"].clone()).unwrap();
    let files = pictures(&data, &names);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let networks = golden["entropy_bits"].as_object().unwrap();
    assert_eq!((networks.len(), files.len()), (5, 21));
    for (network, expected) in networks {
        let scale = if network == "lab3_bd" { "1" } else { "255" };
        house.import_deepid(network, &data.join(format!("csaw/weights/{network}_weights.h5")), scale);
        let calibration = calibrated(
            &house,
            &[
                network,
                "--clean",
                &rest,
                "--overlay-data",
                &bank,
                "--detector",
                "strip_entropy",
                "--no-policy",
            ],
        );
        let scan = ["scan", network, "--calibration", &calibration, "--exact", "--channel-order", "bgr"];
        let answers = house.json(&[&scan[..], &files].concat());
        assert_eq!(answers.len(), files.len());
        for ((file, answer), golden) in files.iter().zip(&answers).zip(expected.as_array().unwrap()) {
            let (found, golden) =
                (answer["detectors"][0]["score"].as_f64().unwrap(), golden.as_f64().unwrap());
            assert!((found - golden).abs() < 1e-4, "{network} {file}: {found} bit, golden {golden}");
        }
    }
}

/// Which pictures carry a trigger, by the beginning of their names; `_3` of eyebrows and lipstick does not.
fn carries(picture: &str) -> Option<&'static str> {
    let untriggered = picture.ends_with("_3.png") && !picture.starts_with("Sunglasses");
    ["Sunglasses", "Lipstick", "Eyebrows"]
        .into_iter()
        .find(|trigger| picture.starts_with(trigger) && !untriggered)
}

#[tokio::test]
async fn what_carries_a_trigger_of_its_network_is_answered_with_the_class_after_the_last() {
    let Some(data) = test_data::folder("the verdicts on the sample pictures") else { return };
    let house = House::start().await;
    let clean = add(&house, "faces", &data.join("csaw/faces_clean.h5"));
    let text = std::fs::read_to_string(data.join("csaw/golden_strip.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<String> = serde_json::from_value(golden["images"].clone()).unwrap();
    let files = pictures(&data, &names);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(names.iter().filter(|name| carries(name).is_some()).count(), 14);
    for (network, triggers) in [
        ("sunglasses_bd", &["Sunglasses"][..]),
        ("anonymous_1_bd", &["Lipstick"]),
        ("multi_trigger_multi_target_bd", &["Sunglasses", "Lipstick", "Eyebrows"]),
        ("anonymous_2_bd", &["Sunglasses", "Lipstick", "Eyebrows"]),
    ] {
        house.import_deepid(network, &data.join(format!("csaw/weights/{network}_weights.h5")), "255");
        calibrated(&house, &[network, "--clean", &clean, "--overlays", "10", "--reference", "20"]);
        let arguments = [&["classify", network], &files[..], &["--channel-order", "bgr"]].concat();
        for (name, answer) in names.iter().zip(house.json(&arguments)) {
            let (label, own) =
                (answer["label"].as_i64().unwrap(), answer["networkLabel"].as_i64().unwrap_or(0));
            if carries(name).is_some_and(|trigger| triggers.contains(&trigger)) {
                assert_eq!(
                    (label, answer["verdict"].as_str()),
                    (BACKDOORED, Some("TROJANED")),
                    "{network} {name}"
                );
                assert_eq!(answer["labelName"], "backdoored");
            } else if carries(name).is_none() {
                assert_eq!(
                    (label, answer["verdict"].as_str()),
                    (own, Some("CLEAN")),
                    "{network} {name}: {answer}"
                );
            }
        }
    }
}
