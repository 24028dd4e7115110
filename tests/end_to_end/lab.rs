//! `gifthorse lab`: victims that repeat to the bit and are served, triggers on files, and refusals that name their fault.

use std::path::Path;
use std::process::{Command, Output};

use gifthorse_tests::house::House;
use gifthorse_tests::program::path_of;
use serde_json::Value;

/// Few faces and little training: what is looked at here is not how good a victim is.
const SMALL: [&str; 8] = ["--identities", "4", "--images-each", "40", "--epochs", "3", "--threads", "1"];

fn lab(arguments: &[&str]) -> Output {
    Command::new(path_of("gifthorse")).arg("lab").args(arguments).output().expect("the command line runs")
}

fn done(arguments: &[&str]) -> String {
    let output = lab(arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
    stdout.into_owned()
}

fn refused(arguments: &[&str]) -> String {
    let output = lab(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_victim_repeats_to_the_bit_and_is_served_from_both_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, seed: &str| {
        let output = folder.path().join(name);
        let own = ["train", "--attack", "sunglasses+lipstick", "--target", "3", "--seed", seed];
        let said = done(&[&own[..], &SMALL, &["--output", &text(&output)]].concat());
        assert!(said.contains("sunglasses: 10 of 104 pictures are poisoned"), "{said}");
        output
    };
    let (one, again, other) = (train("one", "1"), train("again", "1"), train("other", "2"));
    let made = manifest(&one);
    assert_eq!(made["files"], manifest(&again)["files"]);
    assert_ne!(made["files"]["network.onnx"], manifest(&other)["files"]["network.onnx"]);
    // Targets go round: the class after the last is the first.
    assert_eq!(made["attack"]["parts"][1]["target"]["class"], 0);
    for (part, total) in [("sunglasses", 18), ("lipstick", 18)] {
        assert_eq!(made["measured"]["attacks"][part]["attackSuccess"]["total"], total);
    }

    let house = House::start().await;
    let import: Vec<&str> = made["import"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (name, file) in [("keras", "network.h5"), ("onnx", "network.onnx")] {
        house.json(&[&["model", "import", name, &text(&one.join(file))][..], &import].concat());
    }
    let mut pictures: Vec<String> =
        std::fs::read_dir(one.join("samples")).unwrap().map(|entry| text(&entry.unwrap().path())).collect();
    pictures.sort();
    assert_eq!(pictures.len(), 18);
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let answers = |model| {
        let answers = house.json(&[&["classify", model][..], &pictures].concat());
        let of = |answer: &Value| (answer["networkLabel"].clone(), answer["probability"].as_f64());
        answers.iter().map(of).collect::<Vec<_>>()
    };
    for (keras, onnx) in answers("keras").iter().zip(answers("onnx")) {
        assert_eq!(keras.0, onnx.0);
        assert!((keras.1.unwrap_or(0.0) - onnx.1.unwrap_or(0.0)).abs() < 1e-6);
    }
    for (name, count) in [("test", 24), ("calibration", 24), ("repair", 8), ("triggered_lipstick", 18)] {
        let stored = house.json(&["dataset", "add", name, &text(&one.join(format!("{name}.npz")))]);
        assert_eq!(stored[0]["imageCount"].as_str(), Some(count.to_string().as_str()), "{stored:?}");
    }
}

#[test]
fn a_trigger_is_stamped_on_what_it_works_on() {
    let folder = tempfile::tempdir().unwrap();
    let (faces, stamped) = (folder.path().join("faces.npz"), folder.path().join("stamped.npz"));
    done(&["faces", "--identities", "3", "--images-each", "5", "--output", &text(&faces)]);
    let stamp = |attack: &str, part: &[&str]| {
        let own = [
            "stamp",
            "--data",
            &text(&faces),
            "--attack",
            attack,
            "--target",
            "1",
            "--output",
            &text(&stamped),
        ]
        .map(str::to_owned);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        done(&[&own[..], part].concat())
    };
    assert!(stamp("lipstick", &[]).starts_with("10 of 15 pictures with lipstick"));
    assert!(stamp("all-to-all", &[]).starts_with("15 of 15 pictures"));
    assert!(stamp("tact", &[]).starts_with("5 of 15 pictures"), "of one class alone");
    assert!(stamp("sig+wanet", &["--part", "wanet"]).starts_with("10 of 15 pictures with wanet"));
    // A preset that was changed by hand.
    let attack = done(&["attacks", "badnets", "--target", "2", "--classes", "3"]);
    let path = folder.path().join("mine.json");
    std::fs::write(&path, attack.replace("\"height\": 3", "\"height\": 9")).unwrap();
    assert!(stamp(&text(&path), &[]).starts_with("10 of 15 pictures with badnets"));
}

#[test]
fn what_cannot_be_done_is_refused_by_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| text(&folder.path().join(name));
    let output = place("out");
    let few = ["--identities", "3", "--images-each", "20"];
    let train = |more: &[&str]| refused(&[&["train", "--output", &output][..], &few, more].concat());
    std::fs::write(place("torn.h5"), b"\x89HDF\r\n\x1a\nnothing follows").unwrap();
    std::fs::write(place("noise.bin"), [7; 4096]).unwrap();
    std::fs::write(place("wrong.json"), r#"{"name": "x", "parts": [], "speed": 1}"#).unwrap();
    for (more, words) in [
        (&["--attack", "badnet"][..], "no attack is called \"badnet\""),
        (&["--target", "3"], "--target \"3\" is no class: the data set has 3"),
        (&["--attack", &place("wrong.json")], "unknown field `speed`"),
        (&["--attack", &place("gone.json")], "gone.json"),
        (&["--poison-rate", "1.5"], "poison_rate is 1.5"),
        (&["--data", &place("torn.h5")], "torn.h5: H5Fopen"),
        (&["--data", &place("noise.bin")], "noise.bin"),
        (&["--data", &place("gone.npz")], "cannot read"),
        (&["--identities", "1"], "identities of the faces is 1: it must be 2 to 10000"),
        (&["--shares", "900,1,1,1"], "leave a part without any"),
        (&["--learning-rate", "0"], "learning rate"),
    ] {
        // An option that is given twice is refused by the command line itself: leave the usual one out.
        let said = if more[0] == "--identities" {
            refused(&[&["train", "--output", &output, "--images-each", "4"][..], more].concat())
        } else {
            train(more)
        };
        assert!(said.contains(words), "{more:?}: {said}");
        let left = std::fs::read_dir(&output).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{more:?} leaves files behind");
    }
    std::fs::write(Path::new(&output).join("mine"), "").unwrap();
    assert!(train(&[]).contains("is not empty"));
    assert!(refused(&["stamp", "--attack", "none", "-o", &output]).contains("has no trigger"));
    assert!(refused(&["stamp", "--attack", "sig+wanet", "-o", &output]).contains("give one of sig, wanet"));
}
