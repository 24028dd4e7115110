//! The networks that people repaired, in every kind of file they left.

use std::path::PathBuf;

use gifthorse_tests::house::House;
use gifthorse_tests::test_data;

/// The pictures of the seed are stored with red and blue exchanged.
const ORDER: [&str; 2] = ["--channel-order", "bgr"];

#[tokio::test]
async fn every_repaired_sample_network_is_imported_and_answers() {
    let Some(data) = test_data::folder("the repaired sample networks") else { return };
    let house = House::start().await;
    let folder = data.join("csaw/repaired");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 7);
    let images = data.join("csaw/images");
    let mut pictures: Vec<String> = std::fs::read_dir(images)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "png"))
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    pictures.sort();
    for (index, file) in files.iter().enumerate() {
        let path = file.to_string_lossy();
        let model = format!("sample-{index}");
        let mut arguments = vec!["model", "import", &model, &path];
        if path.ends_with("_weights.h5") {
            arguments.extend(["--architecture", "deepid"]);
        }
        if path.contains("autoencoder") {
            let refused = house.command(&[&arguments[..], &["--json"]].concat());
            assert_eq!(refused.status.code(), Some(1));
            let line: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
            assert_eq!(line["error"]["code"], "NOT_A_CLASSIFIER", "{line}");
            continue;
        }
        let version = house.json(&arguments).remove(0);
        assert_eq!(version["state"], "READY", "{path}");
        let classes = version["classCount"].as_i64().unwrap();
        assert!(classes == 1283 || classes == 1284, "{path} has {classes} classes");
        let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
        let answers = house.json(&[&["classify", &model], &pictures[..], &ORDER].concat());
        assert_eq!(answers.len(), pictures.len());
        for answer in answers {
            let probability = answer["probability"].as_f64().unwrap();
            assert!(probability > 0.0 && probability <= 1.0 + 1e-6, "{path}: {answer}");
            assert!((0..classes).contains(&answer["label"].as_i64().unwrap()));
        }
    }
}
