//! `gifthorse calibrate`

use gifthorse_api::v1;
use gifthorse_api::v1::policy::{Combination, Failure};
use serde_json::json;

use crate::fake_gateway::{FakeGateway, Seen};
use crate::program::{folder, gifthorse, path};

/// The policies that were set.
fn policies(gateway: &FakeGateway) -> Vec<v1::SetPolicyRequest> {
    let set = |call| if let Seen::SetPolicy(request) = call { Some(request) } else { None };
    gateway.seen().into_iter().filter_map(set).collect()
}

/// The calibrations that were asked for.
fn calibrations(gateway: &FakeGateway) -> Vec<v1::CalibrateRequest> {
    let asked = |call| if let Seen::Calibrate(request) = call { Some(request) } else { None };
    gateway.seen().into_iter().filter_map(asked).collect()
}

#[tokio::test]
async fn a_local_file_is_stored_once_and_the_fused_score_decides() {
    let gateway = FakeGateway::start().await;
    let files = folder(&[("Clean Faces.h5", b"hdf5 bytes")]);
    let file = path(&files, "Clean Faces.h5");
    let arguments = ["calibrate", "lab3", "--clean", &file, "--value-range", "1"];
    let run = gifthorse(&gateway.address, &arguments).await;
    assert_eq!(run.status, 0, "{}", run.error);
    for line in ["calibration  c-1\n", "bank         25 overlays\n", "note: channel_dropout was left out"] {
        assert!(run.output.contains(line), "{}", run.output);
    }
    assert!(run.output.contains("policy           lab3@3\n"), "{}", run.output);

    let run = gifthorse(&gateway.address, &[arguments.as_slice(), &["--json"]].concat()).await;
    let names: Vec<_> = run.objects().iter().map(|object| object["name"].clone()).collect();
    assert_eq!(names, [json!("calibrations/c-1"), json!("policies/lab3/versions/3")]);

    let seen = gateway.seen();
    let uploads: Vec<_> = seen.iter().filter(|call| matches!(call, Seen::Upload { .. })).collect();
    let [Seen::Upload { specification, content }] = uploads.as_slice() else { panic!("one upload") };
    assert_eq!(content, b"hdf5 bytes");
    assert!(specification.dataset.starts_with("datasets/clean-faces-"), "{}", specification.dataset);
    assert!((specification.value_range - 1.0).abs() < f64::EPSILON);
    let [first, second] = calibrations(&gateway).try_into().unwrap();
    assert_eq!(first, second);
    assert_eq!((&first.dataset, first.model.as_str()), (&specification.dataset, "models/lab3"));
    assert_eq!(first.detectors, []);
    let policy = policies(&gateway)[0].policy.clone().unwrap();
    assert_eq!(policy.combination(), Combination::Fused);
    assert_eq!(policy.failure(), Failure::FailClosed);
    assert!((policy.alpha - 0.01).abs() < 1e-12);
    let deciding: Vec<_> = policy.detectors.iter().map(|one| (one.detector.as_str(), one.weight)).collect();
    assert_eq!(deciding, [("strip_margin", 0.0), ("region_paste", 0.0)]);
    assert!(policy.detectors.iter().all(|one| one.calibration == "calibrations/c-1"));
}

#[tokio::test]
async fn everything_that_is_said_is_sent() {
    let gateway = FakeGateway::start().await;
    let line = "calibrate lab3@2 --clean datasets/faces --alpha 0.05 --overlays 25 --passes 20 --augment --seed 7 \
                --confidence 0.95 --detector strip_entropy --detector region_paste --blend convex:0.5 --looks 4,8 \
                --hosts 5 --region-shape columns --reference 30 --one-per-group --shares 0.25,0.75 --fail-open \
                --policy-only-check --channel-order bgr --scale 1 --request-id r-1";
    let run = gifthorse(&gateway.address, &line.split_whitespace().collect::<Vec<_>>()).await;
    assert_eq!(run.status, 0, "{}", run.error);
    let strip = v1::DetectorSettings {
        detector: "strip_entropy".to_owned(),
        passes: 20,
        looks: vec![4, 8],
        blend: Some(v1::Blend { kind: v1::blend::Kind::Convex.into(), alpha: 0.5 }),
        ..Default::default()
    };
    let paste = v1::DetectorSettings {
        detector: "region_paste".to_owned(),
        hosts: 5,
        region_shape: "columns".to_owned(),
        ..Default::default()
    };
    let expected = v1::CalibrateRequest {
        model: "models/lab3/versions/2".to_owned(),
        dataset: "datasets/faces".to_owned(),
        detectors: vec![strip, paste],
        overlays: 25,
        seed: 7,
        augment: true,
        one_per_group: true,
        reference_images: 30,
        preprocessing_override: Some(v1::PreprocessingOverride {
            channel_order: v1::channel_order::Kind::Bgr.into(),
            scale: 1.0,
            ..Default::default()
        }),
        request_id: "r-1".to_owned(),
        ..Default::default()
    };
    assert_eq!(calibrations(&gateway), [expected]);
    let [request] = policies(&gateway).try_into().unwrap();
    assert!(request.validate_only);
    let policy = request.policy.unwrap();
    assert_eq!((policy.model.as_str(), policy.combination()), ("models/lab3", Combination::WeightedMinP));
    assert_eq!(policy.failure(), Failure::FailOpen);
    assert!((policy.confidence - 0.95).abs() < 1e-12);
    let shares: Vec<f64> = policy.detectors.iter().map(|one| one.weight).collect();
    assert_eq!(shares, [0.25, 0.75]);
}

#[tokio::test]
async fn plain_strip_decides_alone_and_by_a_fixed_threshold_where_asked() {
    let gateway = FakeGateway::start().await;
    for chosen in [["--detector", "strip_entropy"], ["--legacy-threshold", "0.4"]] {
        let arguments = [["calibrate", "lab3", "--clean", "faces"].as_slice(), &chosen].concat();
        let run = gifthorse(&gateway.address, &arguments).await;
        assert_eq!(run.status, 0, "{}", run.error);
    }
    for request in policies(&gateway) {
        let policy = request.policy.unwrap();
        assert_eq!(policy.combination(), Combination::WeightedMinP);
        let deciding: Vec<_> =
            policy.detectors.iter().map(|one| (one.detector.as_str(), one.weight)).collect();
        assert_eq!(deciding, [("strip_entropy", 1.0)]);
    }
    let thresholds: Vec<_> = calibrations(&gateway).iter().map(|one| one.legacy_threshold).collect();
    assert_eq!(thresholds, [None, Some(0.4)]);
}

#[tokio::test]
async fn settings_without_detectors_are_those_of_the_default_ones() {
    let gateway = FakeGateway::start().await;
    for (model, count) in [("lab3", 4), ("far", 3)] {
        let run =
            gifthorse(&gateway.address, &["calibrate", model, "--clean", "faces", "--passes", "10"]).await;
        assert_eq!(run.status, 0, "{}", run.error);
        let asked = calibrations(&gateway).pop().unwrap().detectors;
        assert_eq!(asked.len(), count, "there is nothing to look into where a network is linked");
        assert!(asked.iter().all(|one| (one.passes == 10) == one.detector.starts_with("strip_")));
    }
}

#[tokio::test]
async fn a_refused_policy_leaves_the_calibration() {
    let gateway = FakeGateway::start().await;
    let run = gifthorse(&gateway.address, &["calibrate", "small", "--clean", "faces"]).await;
    assert_eq!(run.status, 1);
    assert!(run.output.contains("calibration  small\n"), "{}", run.output);
    assert!(run.error.starts_with("error [CALIBRATION_TOO_SMALL]: alpha 0.01 needs 99"), "{}", run.error);
    assert!(run.error.contains("`gifthorse policy set`"), "{}", run.error);
    let run = gifthorse(&gateway.address, &["calibrate", "small", "--clean", "faces", "--no-policy"]).await;
    assert_eq!(run.status, 0, "{}", run.error);
    assert_eq!(policies(&gateway).len(), 1);
}

#[tokio::test]
async fn what_leads_nowhere_is_said_before_anything_is_measured() {
    let gateway = FakeGateway::start().await;
    let base = ["calibrate", "lab3", "--clean"];
    for (rest, text) in [
        (["none", "--seed", "1"].as_slice(), "neither a file here nor a stored data set"),
        (&["faces", "--detector", "strip_margin", "--hosts", "5"], "--hosts says nothing about strip_margin"),
        (&["faces", "--detector", "a", "--shares", "0.5,0.5"], "2 values of --shares for 1 of --detector"),
        (&["faces", "--detector", "region_paste", "--legacy-threshold", "1"], "threshold of strip_entropy"),
    ] {
        let run = gifthorse(&gateway.address, &[base.as_slice(), rest].concat()).await;
        assert_eq!(run.status, 2, "{}", run.error);
        assert!(run.error.contains(text), "{}", run.error);
    }
    assert_eq!(gateway.seen(), []);
}
