//! Evaluations, with a calibration that is large enough to stop early in both directions.

use gifthorse_api::v1;
use gifthorse_tests::house::House;
use ndarray::Array4;
use serde_json::Value;

use super::support::{calibrate, detection, entropy, own_labels, set, single, store};
use crate::support::calls::import_plain;
use crate::support::network::{CHANNELS, Ending, HEIGHT, Linear, VALUES, WIDTH};

/// Overlays of the bank, and so passes of an exact scan.
const OVERLAYS: usize = 40;
/// Calibration inputs: enough to spend 1 % over several looks.
const CALIBRATION: usize = 1200;

/// Pictures of noise, none like another.
fn noise(first: u64, count: usize) -> Array4<u8> {
    Array4::from_shape_fn((count, CHANNELS, HEIGHT, WIDTH), |(image, channel, row, column)| {
        let place = ((channel * HEIGHT + row) * WIDTH + column) as u64;
        let mut mixed = ((first + image as u64) << 20 | place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 31)).to_le_bytes()[3]
    })
}

/// The class of the trigger.
const TARGET: usize = 1;

/// The same pictures at their brightest wherever the network leans to the target: no blend sways its answer.
fn stamped(network: &Linear, mut images: Array4<u8>) -> Array4<u8> {
    // What pixels do for the target against the others, on average.
    let lead = |pixels: &[f32]| {
        let logarithms: Vec<f64> = network.answers(pixels).iter().map(|answer| answer.ln()).collect();
        let others = logarithms.iter().sum::<f64>() - logarithms[TARGET];
        logarithms[TARGET] - others / (logarithms.len() - 1) as f64
    };
    let bare = lead(&[0.0; VALUES]);
    let leans = |place: usize| {
        let mut pixels = [0.0; VALUES];
        pixels[place] = 1.0;
        lead(&pixels) > bare
    };
    for ((_, channel, row, column), level) in images.indexed_iter_mut() {
        *level = if leans((row * WIDTH + column) * CHANNELS + channel) { 255 } else { 0 };
    }
    // One pixel is left to tell them apart.
    for (index, mut image) in images.outer_iter_mut().enumerate() {
        image[[0, 0, 0]] = index as u8;
    }
    images
}

struct Guarded {
    house: House,
    calibration: v1::Calibration,
    clean: String,
    triggered: String,
}

async fn guarded() -> Guarded {
    let house = House::start().await;
    let network = Linear::new(0);
    import_plain(&mut house.models().await, "model", &network.onnx(Ending::Softmax)).await;
    let data = noise(0, CALIBRATION + OVERLAYS);
    let dataset = store(&house, "calibration", &data, &own_labels(&network, &data));
    let request = v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset,
        detectors: vec![entropy()],
        overlays: OVERLAYS as i32,
        ..Default::default()
    };
    let calibration = calibrate(&house, request).await.unwrap();
    let data = noise(1 << 20, 400);
    let clean = store(&house, "clean", &data, &own_labels(&network, &data));
    let data = stamped(&network, noise(1 << 21, 60));
    let triggered = store(&house, "triggered", &data, &[0; 60]);
    Guarded { house, calibration, clean, triggered }
}

#[tokio::test]
async fn large_calibrations_pay_for_early_rejection_within_the_same_budget() {
    let Guarded { house, calibration, clean, triggered } = guarded().await;
    assert!(calibration.detectors[0].calibration_images >= 1000);
    let policy = set(&house, single("model", "strip_entropy", &calibration.name, 0.01)).await.unwrap();
    assert!(policy.detectors[0].early_rejection);

    let words = ["evaluate", "model", "--clean", &clean, "--triggered", &triggered, "--target", "1"];
    let report = house.json(&words).remove(0);
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"));
    // Exact scores reject 1 % on average; four of 400 is the mean, twelve is four standard deviations above it.
    assert!(number("falseRejectionRate") <= 0.03, "{report}");
    assert!(number("meanPassesClean") < OVERLAYS as f64 / 2.0, "{report}");
    assert!(number("meanPassesTriggered") < OVERLAYS as f64 / 4.0, "{report}");
    assert_eq!((number("attackSuccessRate"), number("residualAttackSuccessRate")), (1.0, 0.0));
    assert_eq!((number("falseAcceptanceRate"), number("auroc")), (0.0, 1.0));
    let scores = report["evaluation"]["detectors"][0]["cleanScores"].as_array().unwrap();
    assert_eq!(scores.len(), 400, "scores are exact, whatever stopped early");
}

#[tokio::test]
async fn scans_say_why_they_stopped_and_what_is_only_a_bound() {
    use v1::detector_finding::StopReason;
    let Guarded { house, calibration, .. } = guarded().await;
    let network = Linear::new(0);
    let scan = async |images: &Array4<u8>, exact: bool| {
        let request = v1::ScanRequest {
            calibration: calibration.name.clone(),
            detector: "strip_entropy".to_owned(),
            alpha: 0.01,
            exact,
            tensor: Some(v1::ImageTensor {
                shape: vec![CHANNELS as i32, HEIGHT as i32, WIDTH as i32],
                content: v1::image_tensor::Content::PixelsUint8.into(),
                data: images.iter().copied().collect::<Vec<_>>().into(),
            }),
            preprocessing_override: Some(v1::PreprocessingOverride {
                layout: v1::layout::Kind::Nchw.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        detection(&house).await.scan(request).await.unwrap().into_inner().detectors.remove(0)
    };
    for (images, early, rejected) in [
        (noise(1 << 22, 1), StopReason::AcceptedEarly, false),
        (stamped(&network, noise(1 << 22, 1)), StopReason::RejectedEarly, true),
    ] {
        let quick = scan(&images, false).await;
        assert_eq!((quick.stop_reason(), quick.rejected), (early, rejected));
        assert!(quick.passes_used < OVERLAYS as i32 && quick.score_is_bound && quick.p_value_is_bound);
        let exact = scan(&images, true).await;
        assert_eq!((exact.stop_reason(), exact.rejected), (StopReason::Exhausted, rejected));
        assert_eq!(exact.passes_used, OVERLAYS as i32);
        assert!(!exact.score_is_bound && !exact.p_value_is_bound);
    }
}

#[tokio::test]
async fn one_report_compares_several_networks() {
    let Guarded { house, calibration, clean, triggered } = guarded().await;
    set(&house, single("model", "strip_entropy", &calibration.name, 0.01)).await.unwrap();
    let other = Linear::new(3);
    import_plain(&mut house.models().await, "other", &other.onnx(Ending::Softmax)).await;
    let calibrating = "datasets/calibration";
    house.json(&["calibrate", "other", "--clean", calibrating, "--detector", "strip_entropy"]);
    let folder = house.folder.path().join("report");
    let into = folder.to_string_lossy().into_owned();
    for network in ["model", "other"] {
        let data = ["--clean", &clean, "--triggered", &triggered, "--report", &into, "--append"];
        house.json(&[&["evaluate", network][..], &data].concat());
    }
    let text = std::fs::read_to_string(folder.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let networks: Vec<_> =
        report["evaluations"].as_array().unwrap().iter().map(|one| &one["network"]).collect();
    assert_eq!(networks, ["models/model/versions/1", "models/other/versions/1"]);
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("model@1") && page.contains("other@1"));
}
