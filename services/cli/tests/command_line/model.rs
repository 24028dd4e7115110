//! `gifthorse model`

use std::fs::File;

use gifthorse_api::v1;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::fake_gateway::models::EXPORTED;
use crate::fake_gateway::{FakeGateway, Seen};
use crate::program::{folder, gifthorse, path};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test]
async fn a_file_is_imported_in_chunks_behind_its_specification() {
    let gateway = FakeGateway::start().await;
    let content: Vec<u8> = (0..MEBIBYTE * 2 + 7).map(|index| (index % 251) as u8).collect();
    let files = folder(&[("a.h5", &content), ("names.txt", b"ada\nbob\n"), ("net.json", b"{\"layers\":[]}")]);
    let (file, names, network) = (path(&files, "a.h5"), path(&files, "names.txt"), path(&files, "net.json"));
    let arguments = [
        "model",
        "import",
        "lab3",
        &file,
        "--architecture",
        &network,
        "--classes",
        &names,
        "--scale",
        "1",
        "--promote",
        "--json",
    ];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let object = &run.objects()[0];
    assert_eq!((&object["name"], &object["state"]), (&json!("models/lab3/versions/1"), &json!("READY")));

    let seen = gateway.seen();
    let [Seen::Import { specification, chunks, content: sent }] = seen.as_slice() else {
        panic!("one import");
    };
    assert_eq!(*chunks, [MEBIBYTE, MEBIBYTE, 7]);
    assert!(*sent == content, "the file arrives byte for byte");
    let expected = v1::ImportModelSpecification {
        model: "models/lab3".to_owned(),
        file_name: "a.h5".to_owned(),
        architecture_json: "{\"layers\":[]}".to_owned(),
        preprocessing: Some(v1::Preprocessing { scale: 1.0, ..Default::default() }),
        class_names: vec!["ada".to_owned(), "bob".to_owned()],
        promote: true,
        expected_sha256: hex::encode(Sha256::digest(&content)),
        ..Default::default()
    };
    assert_eq!(*specification, expected);
}

#[tokio::test]
async fn a_refusal_ends_the_upload_of_a_large_file() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[]);
    let large = path(&files, "large.onnx");
    File::create(&large).unwrap().set_len(1 << 26).unwrap();
    let run = gifthorse(&gateway.address, &["model", "import", "taken", &large]).await;
    assert_eq!(run.status, 1);
    assert!(run.error.starts_with("error [REQUEST_ID_REUSED]: this id was used"), "{}", run.error);
}

#[tokio::test]
async fn models_and_versions_are_listed_over_all_pages() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["model", "list"]).await;
    let expected = [
        "NAME        PROMOTED      VERSIONS  CREATED",
        "lab3        lab3@2               2",
        "sunglasses  sunglasses@2         2",
        "",
    ];
    assert_eq!((run.status, run.output), (0, expected.join("\n")));
    let run = gifthorse(&gateway.address, &["model", "list", "lab3", "--json"]).await;
    let names: Vec<_> = run.objects().iter().map(|object| object["name"].clone()).collect();
    assert_eq!(names, [json!("models/lab3/versions/2"), json!("models/lab3/versions/1")]);
}

#[tokio::test]
async fn a_version_is_shown_promoted_and_deleted_by_any_of_its_names() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["model", "show", "lab3@2"]).await;
    assert!(run.output.contains("picture        55 x 47 x 3\n"), "{}", run.output);
    assert!(run.output.contains("conv_1  Conv2D"), "{}", run.output);
    let run = gifthorse(&gateway.address, &["model", "show", "none"]).await;
    assert_eq!(run.status, 1);
    assert!(
        run.error.contains("[MODEL_NOT_FOUND]") && run.error.contains("`gifthorse model list`"),
        "{}",
        run.error
    );

    let run = gifthorse(&gateway.address, &["model", "promote", "lab3@2"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "lab3 is now answered by lab3@2\n"));
    let run = gifthorse(&gateway.address, &["model", "delete", "models/lab3/versions/1"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "deleted models/lab3/versions/1\n"));
    let run = gifthorse(&gateway.address, &["model", "delete", "lab3", "--json"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "{}\n"));
    let expected = [
        Seen::Promote("models/lab3/versions/2".to_owned()),
        Seen::Delete("models/lab3/versions/1".to_owned()),
        Seen::Delete("models/lab3".to_owned()),
    ];
    assert_eq!(gateway.seen(), expected);
}

#[tokio::test]
async fn an_export_is_checked_before_it_takes_its_place() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[("old.onnx", b"old")]);
    let old = path(&files, "old.onnx");
    let run = gifthorse(&gateway.address, &["model", "export", "damaged", "-o", &old]).await;
    assert_eq!(run.status, 1);
    assert!(run.error.contains("[DIGEST_MISMATCH]"), "{}", run.error);
    assert_eq!(std::fs::read(&old).unwrap(), b"old");

    let run = gifthorse(&gateway.address, &["model", "export", "lab3", "-o", &old, "--json"]).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(run.objects()[0]["file"], json!(old));
    assert_eq!(std::fs::read(&old).unwrap(), EXPORTED);

    let into = path(&files, "");
    let arguments = ["model", "export", "lab3@1", "--format", "keras", "-o", &into];
    assert_eq!(gifthorse(&gateway.address, &arguments).await.status, 0);
    assert_eq!(std::fs::read(path(&files, "model.keras_h5")).unwrap(), EXPORTED);
    let again = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(again.status, 2, "a file of the service's choice replaces nothing");
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 2);
}
