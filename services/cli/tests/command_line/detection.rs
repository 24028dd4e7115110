//! `gifthorse scan`, `evaluate`, `calibration`, `policy`, and what `model` has for guarded and linked networks

use gifthorse_api::v1;
use serde_json::json;

use crate::fake_gateway::detection::GUARDED;
use crate::fake_gateway::{FakeGateway, Seen};
use crate::program::{folder, gifthorse, path};

/// A bitmap of one pixel; bitmaps hold blue, green, red.
fn pixel(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    bytes.resize(54, 0);
    bytes.extend([colour[2], colour[1], colour[0], 0]);
    bytes
}

#[tokio::test]
async fn pictures_are_decoded_here_and_scanned_in_order() {
    let gateway = FakeGateway::start().await;
    let pictures =
        folder(&[("red.bmp", &pixel([255, 1, 2])), ("green.bmp", &pixel([0, 255, 3])), ("bad.png", b"bad")]);
    let [red, green, bad] = ["red.bmp", "green.bmp", "bad.png"].map(|file| path(&pictures, file));
    let arguments = ["scan", "lab3", &red, &bad, &green, "--votes", "--channel-order", "bgr"];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 2, "{}", run.error);
    let lines: Vec<&str> = run.output.lines().collect();
    assert!(lines[0].starts_with("FILE") && lines[0].ends_with("VOTES"), "{}", run.output);
    let words = |line: &str| line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(
        words(lines[1]),
        "TROJANED fused 0.0100 -4.0000 -2.5000 60 EXHAUSTED 5 fused, rows 7-20, columns 0-46 24 x 5"
    );
    assert!(words(lines[2]).starts_with("error [IMAGE_INVALID]"), "{}", run.output);
    assert_eq!(words(lines[3]), "CLEAN fused >=0.5000 >=1.5000 -2.5000 60 ACCEPTED_EARLY 5 24 x 5");

    let seen = gateway.seen();
    let [Seen::Scan(first), Seen::Scan(_)] = seen.as_slice() else { panic!("two pictures were sent") };
    let tensor = first.tensor.as_ref().unwrap();
    assert_eq!((tensor.shape.as_slice(), &tensor.data[..]), ([1, 1, 3].as_slice(), [255, 1, 2].as_slice()));
    assert_eq!(tensor.content(), v1::image_tensor::Content::PixelsUint8);
    let overrides = first.preprocessing_override.unwrap();
    assert_eq!(overrides.channel_order(), v1::channel_order::Kind::Bgr);
    assert!(first.votes && !first.exact);
}

#[tokio::test]
async fn a_named_calibration_decides_a_scan() {
    let gateway = FakeGateway::start().await;
    let pictures = folder(&[("red.bmp", &pixel([255, 0, 0]))]);
    let red = path(&pictures, "red.bmp");
    let arguments = [
        "scan",
        "lab3",
        &red,
        "--json",
        "--exact",
        "--calibration",
        "c-1",
        "--detector",
        "strip_entropy",
        "--alpha",
        "0.05",
        "--confidence",
        "0.95",
    ];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let object = &run.objects()[0];
    assert_eq!((&object["file"], &object["verdict"]), (&json!(red), &json!("TROJANED")));
    assert_eq!(object["detectors"][0]["evidence"]["top"], json!(7));
    let seen = gateway.seen();
    let [Seen::Scan(request)] = seen.as_slice() else { panic!("one picture was sent") };
    assert_eq!(request.calibration, "calibrations/c-1");
    assert_eq!(request.detector, "strip_entropy");
    assert!(
        request.exact && (request.alpha - 0.05).abs() < 1e-12 && (request.confidence - 0.95).abs() < 1e-12
    );
}

#[tokio::test]
async fn an_evaluation_is_one_object_or_tables() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[("first.h5", b"first"), ("second.h5", b"second")]);
    let [first, second] = ["first.h5", "second.h5"].map(|file| path(&files, file));
    let base = ["evaluate", "lab3", "--clean", "faces", "--triggered", &first, &second, "--target", "0"];
    let run = gifthorse(&gateway.address, &[base.as_slice(), &["--json"]].concat()).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let objects = run.objects();
    let [object] = objects.as_slice() else { panic!("one object: {}", run.output) };
    let expected = [
        ("cleanAccuracy", json!(0.98)),
        ("attackSuccessRate", json!(1.0)),
        ("guardedCleanAccuracy", json!(0.97)),
        ("residualAttackSuccessRate", json!(0.25)),
        ("falseRejectionRate", json!(0.01)),
        ("falseAcceptanceRate", json!(0.25)),
        ("falseAcceptanceRateEffective", json!(null)),
        ("auroc", json!(0.875)),
        ("threshold", json!(-2.5)),
        ("meanPassesClean", json!(40.5)),
        ("meanPassesTriggered", json!(12.5)),
    ];
    for (key, value) in &expected {
        assert_eq!(&object[key], value, "{key}");
    }
    assert_eq!(object.as_object().unwrap().len(), expected.len() + 2);
    assert_eq!(object["triggered"][1]["falseAcceptanceRate"], json!(0.5));
    assert_eq!(object["evaluation"]["modelVersion"], "models/lab3/versions/1");

    let run = gifthorse(&gateway.address, &base).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert!(run.output.contains("guarded accuracy  97.00 (0.0-100.0) %"), "{}", run.output);
    assert!(run.output.contains("100.00 (0.0-100.0) %  25.00 (0.0-100.0) %"), "{}", run.output);

    let seen = gateway.seen();
    let uploads = seen.iter().filter(|call| matches!(call, Seen::Upload { .. })).count();
    assert_eq!(uploads, 2, "what was stored for the first command is there for the second");
    let Some(Seen::Evaluate(request)) = seen.last() else { panic!("an evaluation was asked for") };
    assert_eq!(request.clean_dataset, "datasets/faces");
    assert!(request.triggered.iter().all(|set| set.target == Some(0)));
    assert!(request.triggered[0].dataset.starts_with("datasets/first-"));
    assert!(!request.illustrations);

    let folder = path(&files, "made/report");
    let run = gifthorse(&gateway.address, &[base.as_slice(), &["--report", &folder]].concat()).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert!(run.output.ends_with(&format!("the report is {folder}/report.html\n")), "{}", run.output);
    let page = std::fs::read_to_string(path(&files, "made/report/report.html")).unwrap();
    assert!(page.contains("Evaluation of lab3@1") && page.contains("gifthorse evaluate lab3"));
    let Some(Seen::Evaluate(request)) = gateway.seen().pop() else { panic!("an evaluation was asked for") };
    assert!(request.illustrations);
    let run = gifthorse(&gateway.address, &[base.as_slice(), &["--report", &first]].concat()).await;
    assert_eq!(run.status, 2, "a file is no folder: {}", run.error);

    let again = [base.as_slice(), &["--report", &folder, "--append"]].concat();
    assert_eq!(gifthorse(&gateway.address, &again).await.status, 0);
    let file = path(&files, "made/report/report.json");
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let counts = ["evaluations", "commands"].map(|key| report[key].as_array().unwrap().len());
    assert_eq!(counts, [1, 2], "what is measured again takes the place of what was measured before");
    std::fs::write(&file, "{").unwrap();
    let asked = gateway.seen().len();
    let run = gifthorse(&gateway.address, &again).await;
    assert!(run.status != 0 && run.error.contains("report.json"), "{}", run.error);
    assert_eq!(gateway.seen().len(), asked, "nothing is measured for a report that cannot be added to");

    let run = gifthorse(&gateway.address, &[base.as_slice(), &["1", "2"]].concat()).await;
    assert_eq!(run.status, 2);
    assert!(run.error.contains("3 values of --target for 2 of --triggered"), "{}", run.error);
}

#[tokio::test]
async fn calibrations_are_listed_shown_and_deleted() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["calibration", "list", "lab3"]).await;
    let expected = [
        "ID   MODEL   DATA SET  IMAGES  BANK  LEAST ALPHA  DETECTORS                                  CREATED",
        "c-2  lab3@1  faces         99    25       0.0100  strip_entropy, strip_margin, region_paste  2023-11-14T22:13:20Z",
        "c-1  lab3@1  faces         99    25       0.0100  strip_entropy, strip_margin, region_paste  2023-11-14T22:13:20Z",
        "",
    ];
    assert_eq!((run.status, run.output), (0, expected.join("\n")));
    let run = gifthorse(&gateway.address, &["calibration", "show", "calibrations/c-1"]).await;
    assert!(run.output.contains("fused              99"), "{}", run.output);
    let run = gifthorse(&gateway.address, &["calibration", "show", "none", "--json"]).await;
    assert_eq!((run.status, &run.fatal()["error"]["code"]), (1, &json!("RESOURCE_NOT_FOUND")));
    let run = gifthorse(&gateway.address, &["calibration", "delete", "c-1"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "deleted calibrations/c-1\n"));
    assert_eq!(gateway.seen(), [Seen::Delete("calibrations/c-1".to_owned())]);
}

#[tokio::test]
async fn a_policy_is_set_shown_and_cleared() {
    let gateway = FakeGateway::start().await;
    let arguments = [
        "policy",
        "set",
        "lab3",
        "--detector",
        "strip_margin=c-1",
        "--detector",
        "region_paste=calibrations/c-2",
        "--combination",
        "min-p",
        "--alpha",
        "0.05",
        "--fail-open",
        "--protocol-answer",
        "refuse",
        "--check",
        "--json",
    ];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(run.objects()[0]["name"], "policies/lab3/versions/3");
    let seen = gateway.seen();
    let [Seen::SetPolicy(request)] = seen.as_slice() else { panic!("one policy was set") };
    let policy = request.policy.as_ref().unwrap();
    assert!(request.validate_only);
    assert_eq!(policy.model, "models/lab3");
    assert_eq!(policy.combination(), v1::policy::Combination::WeightedMinP);
    assert_eq!(policy.failure(), v1::policy::Failure::FailOpen);
    assert_eq!(policy.protocol_answer(), v1::policy::ProtocolAnswer::RefuseRequest);
    let shares: Vec<_> = policy.detectors.iter().map(|one| (one.calibration.as_str(), one.weight)).collect();
    assert_eq!(shares, [("calibrations/c-1", 0.5), ("calibrations/c-2", 0.5)]);

    let run = gifthorse(&gateway.address, &["policy", "show", "lab3"]).await;
    assert!(run.output.contains("policy           lab3@2\n"), "{}", run.output);
    assert!(run.output.contains("region_paste  c-1               1    -2.5000  no\n"), "{}", run.output);
    let run = gifthorse(&gateway.address, &["policy", "show", "lab3", "--history", "--json"]).await;
    let names: Vec<_> = run.objects().iter().map(|object| object["name"].clone()).collect();
    assert_eq!(names, [json!("policies/lab3/versions/2"), json!("policies/lab3/versions/1")]);
    let run = gifthorse(&gateway.address, &["policy", "show", "none"]).await;
    assert_eq!(run.status, 1);
    let run = gifthorse(&gateway.address, &["policy", "clear", "lab3"]).await;
    assert_eq!((run.status, run.output.as_str()), (0, "lab3 is unguarded\n"));
    assert_eq!(gateway.seen().last(), Some(&Seen::Delete("policies/lab3".to_owned())));

    let halves = ["policy", "set", "lab3", "--detector", "a=c:0.5", "--detector", "b=c", "--alpha", "0.05"];
    let run = gifthorse(&gateway.address, &halves).await;
    assert_eq!(run.status, 2, "weights are given for all detectors or for none");
}

#[tokio::test]
async fn a_guarded_network_is_written_to_a_file() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[]);
    let target = path(&files, "guarded.onnx");
    let arguments =
        ["model", "export", "lab3", "--guarded", "-o", &target, "--calibration", "c-1", "--alpha", "0.05"];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(std::fs::read(&target).unwrap(), GUARDED);
    let expected = v1::ExportGuardedModelRequest {
        model: "models/lab3".to_owned(),
        calibration: "calibrations/c-1".to_owned(),
        alpha: 0.05,
        confidence: 0.0,
    };
    assert_eq!(gateway.seen(), [Seen::ExportGuarded(expected)]);
}

#[tokio::test]
async fn a_network_elsewhere_is_linked_and_checked() {
    let gateway = FakeGateway::start().await;
    let arguments = [
        "model",
        "link",
        "far",
        "--endpoint",
        "triton:8001",
        "--model",
        "faces",
        "--input",
        "x",
        "--output",
        "y",
        "--logits",
        "--height",
        "55",
        "--width",
        "47",
        "--channels",
        "3",
        "--layout",
        "nchw",
        "--scale",
        "1",
    ];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert!(run.output.starts_with("far@1: 1283 classes, pictures of 55 x 47 x 3"), "{}", run.output);
    let endpoint = v1::LinkedEndpoint {
        endpoint: "triton:8001".to_owned(),
        model_name: "faces".to_owned(),
        input: "x".to_owned(),
        output: "y".to_owned(),
        logits: true,
        ..Default::default()
    };
    let preprocessing = v1::Preprocessing {
        height: 55,
        width: 47,
        channels: 3,
        layout: v1::layout::Kind::Nchw.into(),
        scale: 1.0,
        ..Default::default()
    };
    let expected = v1::LinkModelRequest {
        model: "models/far".to_owned(),
        endpoint: Some(endpoint),
        preprocessing: Some(preprocessing),
        class_names: Vec::new(),
    };
    assert_eq!(gateway.seen(), [Seen::Link(expected)]);
    let run = gifthorse(&gateway.address, &["model", "check", "far"]).await;
    assert!(run.output.starts_with("far answers as when it was linked"), "{}{}", run.output, run.error);
}
