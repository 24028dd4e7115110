//! `gifthorse classify`

use gifthorse_api::v1;
use serde_json::json;

use crate::fake_gateway::{FakeGateway, Seen};
use crate::program::{folder, gifthorse, path};

#[tokio::test]
async fn answers_come_in_the_order_of_the_files_and_one_bad_file_stops_none() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("zero.png", b"0"), ("bad.png", b"bad"), ("one.png", b"1")]);
    let files: Vec<String> =
        ["one.png", "bad.png", "zero.png", "one.png"].map(|file| path(&pictures, file)).to_vec();
    let mut arguments = vec!["classify", "lab3", "--json"];
    arguments.extend(files.iter().map(String::as_str));
    let run = gifthorse(&gateway.address, &arguments).await;

    assert_eq!(run.status, 1, "{}", run.error);
    let objects = run.objects();
    let named: Vec<&str> = objects.iter().map(|object| object["file"].as_str().unwrap()).collect();
    assert_eq!(named, files);
    assert_eq!(objects[0]["label"], json!(1));
    assert_eq!(objects[1]["error"]["code"], "IMAGE_INVALID");
    assert_eq!(objects[1]["error"]["status"], "INVALID_ARGUMENT");
    assert!(objects[1].get("label").is_none());
    let zero = &objects[2];
    assert_eq!((&zero["label"], &zero["networkLabel"]), (&json!(0), &json!(0)));
    assert_eq!(zero["labelName"], "class 0");
    assert_eq!(zero["probability"], json!(0.75));
    assert_eq!(zero["verdict"], "UNGUARDED");
    assert_eq!(zero["detectors"], json!([]));
    assert!(zero.get("pValue").is_none());
    assert_eq!(run.error, "");
}

#[tokio::test]
async fn a_missing_file_is_usage_and_the_others_are_answered() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("a.png", b"3"), ("bad.png", b"bad")]);
    let (there, bad, missing) =
        (path(&pictures, "a.png"), path(&pictures, "bad.png"), path(&pictures, "b.png"));
    let run = gifthorse(&gateway.address, &["classify", "lab3@2", &missing, &bad, &there, "--json"]).await;
    assert_eq!(run.status, 2);
    let objects = run.objects();
    assert!(objects[0]["error"]["message"].as_str().unwrap().contains("b.png"));
    assert_eq!(objects[2]["modelVersion"], "models/lab3/versions/2/versions/1");
}

#[tokio::test]
async fn many_files_are_answered_within_the_window() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("a.png", b"7")]);
    let file = path(&pictures, "a.png");
    let mut arguments = vec!["classify", "lab3", "--json"];
    arguments.extend(std::iter::repeat_n(file.as_str(), 300));
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(run.objects().len(), 300);
}

#[tokio::test]
async fn what_was_asked_for_is_sent() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("a.png", b"3")]);
    let file = path(&pictures, "a.png");
    let arguments =
        ["classify", "models/lab3", &file, "--channel-order", "bgr", "--scale", "1", "--top", "5"];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let lines: Vec<&str> = run.output.lines().collect();
    assert!(lines[0].starts_with("FILE") && lines[0].ends_with("EVIDENCE"), "{}", run.output);
    assert!(lines[1].contains("class 3") && lines[1].ends_with("0.750000  UNGUARDED"), "{}", run.output);

    let plain = gifthorse(&gateway.address, &["classify", "lab3", &file]).await;
    assert_eq!(plain.status, 0);
    let seen = gateway.seen();
    let [Seen::Classify(changed), Seen::Classify(plain)] = seen.as_slice() else {
        panic!("two pictures were sent");
    };
    assert_eq!((changed.model.as_str(), changed.top_k, plain.top_k), ("models/lab3", 5, 1));
    let overrides = changed.preprocessing_override.as_ref().unwrap();
    assert_eq!(overrides.channel_order(), v1::channel_order::Kind::Bgr);
    assert!((overrides.scale - 1.0).abs() < f64::EPSILON);
    assert_eq!(plain.preprocessing_override, None);
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_its_reason() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("a.png", b"3"), ("break.png", b"break")]);
    let (good, breaks) = (path(&pictures, "a.png"), path(&pictures, "break.png"));
    let run = gifthorse(&gateway.address, &["classify", "lab3", &good, &breaks, &good, "--json"]).await;
    assert_eq!(run.status, 1);
    assert_eq!(run.objects().len(), 1, "what was answered is shown");
    assert_eq!(run.fatal()["error"]["code"], "DRAINING");
}
