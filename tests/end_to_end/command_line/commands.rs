//! Exit codes, tables for people, and objects for programs.

use std::process::Output;

use gifthorse_tests::house::House;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::network::{Ending, Linear, architecture};
use crate::support::pictures::{levels, png};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What the command prints for people; it must succeed.
fn shown(house: &House, arguments: &[&str]) -> String {
    let output = house.command(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(house: &House, arguments: &[&str], status: i32) -> Value {
    let Output { status: found, stdout, stderr } = house.command(&[arguments, &["--json"]].concat());
    assert_eq!(found.code(), Some(status), "{arguments:?}: {}{}", text(&stdout), text(&stderr));
    let line = text(&stderr);
    serde_json::from_str(line.trim_end()).unwrap_or_else(|error| panic!("{error} in {line}"))
}

#[tokio::test]
async fn a_model_lives_through_the_command_line() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let network = Linear::new(1);
    std::fs::write(at("net.onnx"), network.onnx(Ending::Softmax)).unwrap();
    std::fs::write(at("net.h5"), network.keras_weights()).unwrap();
    std::fs::write(at("net.json"), architecture().to_string()).unwrap();
    std::fs::write(at("names.txt"), "anna\nberta\ncarl\ndora\n").unwrap();
    std::fs::write(at("a.png"), png(&levels(1))).unwrap();
    std::fs::write(at("b.png"), png(&levels(2))).unwrap();

    let first =
        house.json(&["model", "import", "faces", &at("net.onnx"), "--classes", &at("names.txt")]).remove(0);
    assert_eq!(first["name"], "models/faces/versions/1");
    assert_eq!((&first["promoted"], &first["state"]), (&true.into(), &"READY".into()));
    assert_eq!(first["classNames"][3], "dora");
    assert_eq!(first["provenance"]["fileName"], "net.onnx");
    let line = shown(&house, &["model", "import", "faces", &at("net.h5"), "--architecture", &at("net.json")]);
    assert_eq!(line, "faces@2: 4 classes, pictures of 6 x 5 x 3, 364 weights, not promoted\n");

    let listed = house.json(&["model", "list"]);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["name"], &listed[0]["versionCount"]), (&"models/faces".into(), &2.into()));
    let table = shown(&house, &["model", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME   PROMOTED  VERSIONS  CREATED"), "{table}");
    assert!(lines[1].starts_with("faces  faces@1          2  "), "{table}");
    let versions = house.json(&["model", "list", "faces"]);
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[0]["name"], "models/faces/versions/2");
    let facts = shown(&house, &["model", "show", "faces@1"]);
    for fact in ["faces@1", "READY", "364", "Softmax"] {
        assert!(facts.contains(fact), "{fact} is not in {facts}");
    }

    let answers = house.json(&["classify", "faces", &at("a.png"), &at("b.png"), "--top", "4"]);
    assert_eq!(answers.len(), 2);
    for (answer, file) in answers.iter().zip(["a.png", "b.png"]) {
        assert_eq!(answer["file"], at(file));
        assert_eq!(answer["modelVersion"], "models/faces/versions/1");
        assert_eq!(answer["verdict"], "UNGUARDED");
        assert_eq!(answer["label"], answer["networkLabel"]);
        let label = usize::try_from(answer["label"].as_u64().unwrap()).unwrap();
        assert_eq!(answer["labelName"], first["classNames"][label]);
        assert_eq!(answer["top"].as_array().unwrap().len(), 4);
        assert_eq!(answer["top"][0]["probability"], answer["probability"]);
    }
    let table = shown(&house, &["classify", "faces", &at("a.png"), &at("b.png")]);
    let columns: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        columns,
        ["FILE", "LABEL", "NAME", "PROBABILITY", "VERDICT", "P-VALUE", "NETWORK", "REPAIRED", "EVIDENCE"]
    );
    assert_eq!(table.lines().count(), 3);

    let promoted = house.json(&["model", "promote", "faces@2"]).remove(0);
    assert_eq!(promoted["promotedVersion"], "models/faces/versions/2");
    let exported = house.json(&["model", "export", "faces@1", "-o", &at("out.onnx")]).remove(0);
    assert_eq!(exported["file"], at("out.onnx"));
    assert_eq!(exported["sha256"], hex::encode(Sha256::digest(std::fs::read(at("out.onnx")).unwrap())));
    shown(&house, &["model", "export", "faces@2", "-o", &at("out.h5"), "--format", "keras"]);
    let again = house.json(&["model", "import", "copy", &at("out.h5")]).remove(0);
    assert_eq!(again["provenance"]["source"], "KERAS_MODEL");
    assert_eq!(shown(&house, &["model", "delete", "faces@1"]), "deleted models/faces/versions/1\n");
    assert_eq!(house.json(&["model", "delete", "faces"]), [serde_json::json!({})]);
    assert_eq!(house.json(&["model", "list"]).len(), 1);
}

#[tokio::test]
async fn exit_codes_tell_refusals_from_wrong_usage() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(at("net.onnx"), Linear::new(1).onnx(Ending::Softmax)).unwrap();
    std::fs::write(at("a.png"), png(&levels(1))).unwrap();
    std::fs::write(at("text.png"), "no picture").unwrap();
    house.json(&["model", "import", "faces", &at("net.onnx")]);

    let error = refused(&house, &["model", "show", "nobody"], 1);
    assert_eq!(error["error"]["code"], "MODEL_NOT_FOUND");
    assert_eq!(error["error"]["status"], "NOT_FOUND");
    // Pictures are refused one by one, each in its place on standard output.
    let output = house.command(&["classify", "nobody", &at("a.png"), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["file"], &line["error"]["code"]), (&at("a.png").into(), &"MODEL_NOT_FOUND".into()));
    let error = refused(&house, &["model", "import", "text", &at("text.png")], 1);
    assert_eq!(error["error"]["code"], "MODEL_FILE_INVALID");
    let error = refused(&house, &["model", "import", "faces", &at("nowhere.onnx")], 2);
    assert!(error["error"]["message"].as_str().unwrap().contains("nowhere.onnx"), "{error}");
    refused(&house, &["model", "import", "../x", &at("net.onnx")], 2);
    refused(&house, &["model", "promote", "faces"], 2);
    refused(&house, &["nonsense"], 2);
    let unreachable = refused(&house, &["model", "list", "--gateway", "127.0.0.1:9"], 1);
    assert_eq!(unreachable["error"]["code"], "SERVICE_UNAVAILABLE");

    // One bad picture among good ones is said in its place, and tells by the exit code.
    let arguments = ["classify", "faces", &at("a.png"), &at("text.png"), &at("a.png"), "--json"];
    let output = house.command(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["error"]["code"], "IMAGE_INVALID");
    assert_eq!(lines[0], {
        let mut third = lines[2].clone();
        third["timings"] = lines[0]["timings"].clone();
        third
    });
    let arguments = ["classify", "faces", &at("a.png"), &at("nowhere.png"), "--json"];
    assert_eq!(house.command(&arguments).status.code(), Some(2));

    let version = house.command(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(text(&version.stdout).starts_with("gifthorse "));
    assert_eq!(house.command(&["--help"]).status.code(), Some(0));
}
