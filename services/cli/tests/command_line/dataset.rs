//! `gifthorse dataset`

use std::io::Read;

use gifthorse_api::v1;
use serde_json::json;

use crate::fake_gateway::{Ending, FakeGateway, Seen};
use crate::program::{folder, gifthorse, path};

#[tokio::test]
async fn a_file_is_sent_as_it_is() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[("faces.h5", b"hdf5 bytes")]);
    let file = path(&files, "faces.h5");
    let arguments = [
        "dataset",
        "add",
        "faces",
        &file,
        "--channel-order",
        "bgr",
        "--layout",
        "nchw",
        "--value-range",
        "1",
        "--request-id",
        "r-1",
        "--json",
    ];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let object = &run.objects()[0];
    assert_eq!((&object["name"], &object["imageCount"]), (&json!("datasets/faces"), &json!("149")));
    assert_eq!(object["lowestLabel"], json!("0"), "defaults show");
    let expected = v1::UploadDatasetSpecification {
        dataset: "datasets/faces".to_owned(),
        file_name: "faces.h5".to_owned(),
        layout: v1::layout::Kind::Nchw.into(),
        channel_order: v1::channel_order::Kind::Bgr.into(),
        request_id: "r-1".to_owned(),
        value_range: 1.0,
        // SHA-256 of the file's content.
        expected_sha256: "40efc1b8bb62930dbd3c5d249eddccbd3604bc319f58b6656dcb2a65f4755ba5".to_owned(),
        ..Default::default()
    };
    assert_eq!(gateway.seen(), [Seen::Upload { specification: expected, content: b"hdf5 bytes".to_vec() }]);
}

#[tokio::test]
async fn a_folder_is_sent_as_a_tar_stream() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[("set/bob/2.png", b"two"), ("set/ada/1.png", b"one"), ("set/.hidden", b"")]);
    let run = gifthorse(&gateway.address, &["dataset", "add", "faces", &path(&files, "set")]).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(run.output, "faces: 149 images of 55 x 47 x 3; 37 classes, labels 0 to 1282\n");
    let seen = gateway.seen();
    let [Seen::Upload { specification, content }] = seen.as_slice() else {
        panic!("one upload");
    };
    assert_eq!(specification.file_name, "set");
    let mut found = Vec::new();
    for entry in tar::Archive::new(content.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        found.push((entry.path().unwrap().display().to_string(), text));
    }
    let expected = [("ada/1.png", "one"), ("bob/2.png", "two")];
    assert_eq!(found, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_to_its_end_is_never_taken_for_whole() {
    let mut gateway = FakeGateway::start().await;
    // More than waits on the way, so that the upload has begun when the second file is opened.
    let files = folder(&[("ada/1.png", &vec![7; 8 << 20])]);
    // A file whose size is known and whose content cannot be read.
    std::os::unix::fs::symlink("/proc/self/mem", files.path().join("ada/2.png")).unwrap();
    let run = gifthorse(&gateway.address, &["dataset", "add", "faces", &path(&files, "")]).await;
    assert_eq!(run.status, 2);
    assert!(run.error.contains("2.png"), "{}", run.error);
    assert_eq!(gateway.upload_ended().await, Ending::BrokenOff);
    assert_eq!(gateway.seen(), []);
}

#[tokio::test]
async fn an_empty_folder_and_a_missing_file_are_usage() {
    let gateway = FakeGateway::start().await;
    let empty = folder(&[]);
    let run = gifthorse(&gateway.address, &["dataset", "add", "faces", &path(&empty, "")]).await;
    assert_eq!(run.status, 2);
    assert!(run.error.contains("holds no files"), "{}", run.error);
    let run =
        gifthorse(&gateway.address, &["dataset", "add", "faces", &path(&empty, "none.h5"), "--json"]).await;
    assert_eq!(run.status, 2);
    assert!(run.fatal()["error"]["message"].as_str().unwrap().contains("none.h5"));
    assert_eq!(gateway.seen(), []);
}

#[tokio::test]
async fn all_pages_are_listed() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["dataset", "list"]).await;
    let expected = [
        "NAME    IMAGES  SHAPE        CLASSES  CREATED",
        "faces      149  55 x 47 x 3       37  2023-11-14T22:13:20Z",
        "digits     149  55 x 47 x 3       37  2023-11-14T22:13:20Z",
        "",
    ];
    assert_eq!((run.status, run.output), (0, expected.join("\n")));
    let run = gifthorse(&gateway.address, &["dataset", "list", "--json"]).await;
    let names: Vec<_> = run.objects().iter().map(|object| object["name"].clone()).collect();
    assert_eq!(names, [json!("datasets/faces"), json!("datasets/digits")]);
}

#[tokio::test]
async fn one_is_shown_or_deleted() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["dataset", "show", "datasets/faces"]).await;
    assert!(run.output.contains("images      149\n"), "{}", run.output);
    let run = gifthorse(&gateway.address, &["dataset", "show", "none"]).await;
    assert_eq!(run.status, 1);
    assert!(run.error.starts_with("error [DATASET_NOT_FOUND]: datasets/none"), "{}", run.error);
    let run = gifthorse(&gateway.address, &["dataset", "delete", "faces", "--json"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "{}\n"));
    assert_eq!(gateway.seen(), [Seen::Delete("datasets/faces".to_owned())]);
}
