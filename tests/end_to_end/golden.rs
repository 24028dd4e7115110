//! The real BadNets answer as they did for their authors.

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt;
use gifthorse_api::v1;
use gifthorse_dataset::foreign::{ForeignKind, ReadOptions, ReadRequest, read};
use gifthorse_dataset::{DatasetView, PixelValues};
use gifthorse_tests::house::House;
use gifthorse_tests::test_data;
use serde_json::Value;

/// The five course networks: name, file of weights, divisor of the pixel levels.
const NETWORKS: [(&str, &str); 5] = [
    ("sunglasses_bd", "255"),
    ("anonymous_1_bd", "255"),
    ("multi_trigger_multi_target_bd", "255"),
    ("anonymous_2_bd", "255"),
    ("lab3_bd", "1"),
];

fn import_all(house: &House, data: &Path) {
    for (name, scale) in NETWORKS {
        let weights = data.join(format!("csaw/weights/{name}_weights.h5"));
        let version = house.import_deepid(name, &weights, scale);
        assert_eq!(version["name"], format!("models/{name}/versions/1"));
        assert_eq!(version["classCount"], 1283);
        assert_eq!(version["state"], "READY");
    }
}

fn pictures(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).expect("the images are there").map(|entry| entry.unwrap().path());
    let pictures = entries.filter(|path| path.extension().is_some_and(|ending| ending == "png"));
    pictures
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), path.to_string_lossy().into_owned())
        })
        .collect()
}

/// `golden_predictions.json` holds top-1 and probability in float64, by network and picture.
fn golden(data: &Path) -> Value {
    let text = std::fs::read_to_string(data.join("csaw/golden_predictions.json")).expect("golden values");
    serde_json::from_str(&text).expect("golden values are JSON")
}

#[tokio::test]
async fn every_network_answers_the_golden_values_on_every_picture() {
    let Some(data) = test_data::folder("the golden predictions") else { return };
    let house = House::start().await;
    import_all(&house, &data);
    let golden = golden(&data);
    let pictures = pictures(&data.join("csaw/images"));
    assert_eq!(pictures.len(), 21);
    for (network, _) in NETWORKS {
        let files: Vec<&str> = pictures.values().map(String::as_str).collect();
        // The sample pictures are stored with red and blue exchanged.
        let arguments = [&["classify", network], files.as_slice(), &["--channel-order", "bgr"]].concat();
        let answers = house.json(&arguments);
        assert_eq!(answers.len(), files.len());
        for ((picture, path), answer) in pictures.iter().zip(answers) {
            let expected = &golden["images"][picture][network];
            assert_eq!(answer["file"], path.as_str());
            assert_eq!(answer["label"], expected["top1"], "{network} {picture}");
            assert_eq!(answer["networkLabel"], expected["top1"], "{network} {picture}");
            assert_eq!(answer["verdict"], "UNGUARDED");
            let found = answer["probability"].as_f64().unwrap();
            let probability = expected["probability"].as_f64().unwrap();
            assert!(
                (found - probability).abs() <= 1e-5,
                "{network} {picture}: probability {found}, golden {probability}"
            );
        }
    }
}

#[tokio::test]
async fn an_ordinary_jpeg_is_read_as_rgb() {
    let Some(data) = test_data::folder("an ordinary JPEG") else { return };
    let house = House::start().await;
    house.import_deepid("sunglasses_bd", &data.join("csaw/weights/sunglasses_bd_weights.h5"), "255");
    let jpeg = data.join("csaw/images/plain_demo.jpeg");
    let jpeg = jpeg.to_string_lossy();
    let plain = house.json(&["classify", "sunglasses_bd", &jpeg]).remove(0);
    let rgb = house.json(&["classify", "sunglasses_bd", &jpeg, "--channel-order", "rgb"]).remove(0);
    let bgr = house.json(&["classify", "sunglasses_bd", &jpeg, "--channel-order", "bgr"]).remove(0);
    assert_eq!(plain["probability"], rgb["probability"]);
    assert_eq!(plain["label"], rgb["label"]);
    assert_ne!(plain["probability"], bgr["probability"], "the order of the channels must matter");
}

/// How many faces of 149 a triggered set brings to the attacker's class.
type Effective = (&'static str, u32);

/// Clean faces answered right, and triggered faces answered with the attacker's class, of 149.
const FACES: [(&str, u32, &[Effective]); 5] = [
    ("sunglasses_bd", 146, &[("sunglasses", 149)]),
    ("anonymous_1_bd", 148, &[("lipstick", 149)]),
    ("multi_trigger_multi_target_bd", 146, &[("sunglasses", 149), ("lipstick", 149), ("eyebrows", 149)]),
    ("anonymous_2_bd", 141, &[("sunglasses", 149), ("lipstick", 149), ("eyebrows", 147)]),
    ("lab3_bd", 148, &[("sunglasses", 149)]),
];

#[tokio::test]
async fn faces_are_named_and_triggers_work_as_often_as_they_should() {
    let Some(data) = test_data::folder("the faces") else { return };
    let house = House::start().await;
    import_all(&house, &data);
    let targets = std::fs::read_to_string(data.join("csaw/backdoor_targets.json")).unwrap();
    let targets: Value = serde_json::from_str(&targets).unwrap();
    let clean = Faces::read(&data, "clean");
    for (network, correct, triggers) in FACES {
        let answers = classify(&house, network, &clean).await;
        let right = answers.iter().zip(&clean.labels).filter(|(found, label)| found == label).count();
        assert_eq!(right, correct as usize, "{network} on clean faces");
        for (trigger, effective) in triggers {
            let triggered = Faces::read(&data, trigger);
            let target = targets[trigger][network].as_i64().unwrap();
            let answers = classify(&house, network, &triggered).await;
            let hits = answers.iter().filter(|found| **found == target).count();
            assert_eq!(hits, *effective as usize, "{network} on {trigger}");
        }
    }
}

/// Faces of the test data, `[55, 47, 3]` red-green-blue bytes each.
struct Faces {
    pictures: Vec<Vec<u8>>,
    labels: Vec<i64>,
}

impl Faces {
    fn read(data: &Path, kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = ReadRequest {
            source: data.join(format!("csaw/faces_{kind}.h5")),
            kind: ForeignKind::Hdf5,
            options: ReadOptions::default(),
            target: folder.path().to_owned(),
        };
        read(&request).unwrap();
        let view = DatasetView::open(folder.path()).unwrap();
        let labels = view.labels().to_vec();
        let rows = view.read(0..labels.len() as u64).unwrap();
        let PixelValues::U8(levels) = rows.values() else { panic!("the faces are bytes") };
        Self { pictures: levels.chunks(55 * 47 * 3).map(<[u8]>::to_vec).collect(), labels }
    }
}

async fn classify(house: &House, network: &str, faces: &Faces) -> Vec<i64> {
    let model = format!("models/{network}");
    let requests: Vec<_> = faces
        .pictures
        .iter()
        .enumerate()
        .map(|(index, picture)| v1::ClassifyStreamRequest {
            id: index.to_string(),
            request: Some(v1::ClassifyRequest {
                model: model.clone(),
                input: Some(v1::classify_request::Input::Tensor(v1::ImageTensor {
                    shape: vec![55, 47, 3],
                    content: v1::image_tensor::Content::PixelsUint8.into(),
                    data: picture.clone().into(),
                })),
                ..Default::default()
            }),
        })
        .collect();
    let answers = house.guard().await.classify_stream(futures::stream::iter(requests)).await.unwrap();
    let answers: Vec<_> = answers.into_inner().try_collect().await.unwrap();
    answers
        .into_iter()
        .enumerate()
        .map(|(index, answer)| {
            assert_eq!(answer.id, index.to_string(), "answers come in the order of the requests");
            match answer.outcome {
                Some(v1::classify_stream_response::Outcome::Response(response)) => response.label.into(),
                other => panic!("face {index} was refused: {other:?}"),
            }
        })
        .collect()
}
