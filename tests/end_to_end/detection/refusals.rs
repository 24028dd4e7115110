//! Clean data and networks from which nothing can be calibrated, and what is said then.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_network::onnx::{Extent, GraphBuilder};
use gifthorse_tests::house::House;
use ndarray::{Array2, Array4, arr1};
use prost::Message;

use super::support::{calibrate, entropy, own_labels, pictures, set, single, small_house, store};
use crate::support::calls::{assert_refused, import, import_plain, specification};
use crate::support::network::{CHANNELS, CLASSES, Ending, HEIGHT, Linear, VALUES, WIDTH};

fn request(dataset: &str) -> v1::CalibrateRequest {
    v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset: dataset.to_owned(),
        detectors: vec![entropy()],
        ..Default::default()
    }
}

#[tokio::test]
async fn clean_data_that_cannot_calibrate_say_why() {
    let (house, _) = small_house(30).await;
    let one = store(&house, "one", &pictures(0, 1), &[0]);
    assert_refused(calibrate(&house, request(&one)).await, ErrorCode::DatasetInvalid, "1 different image");

    let same =
        Array4::from_shape_fn((40, CHANNELS, HEIGHT, WIDTH), |(_, c, h, w)| (c * 40 + h * 7 + w) as u8);
    let same = store(&house, "same", &same, &[0; 40]);
    assert_refused(calibrate(&house, request(&same)).await, ErrorCode::DatasetInvalid, "1 different image");

    let wide =
        Array4::from_shape_fn((30, CHANNELS, HEIGHT, 9), |(n, c, h, w)| (n * 7 + c * 40 + h * 3 + w) as u8);
    let wide = store(&house, "wide", &wide, &[0; 30]);
    assert_refused(calibrate(&house, request(&wide)).await, ErrorCode::ImageSize, "9");
    let overlays = v1::CalibrateRequest { overlay_dataset: wide, ..request("datasets/clean") };
    assert_refused(calibrate(&house, overlays).await, ErrorCode::ImageSize, "9");

    let named = store(&house, "named", &pictures(0, 30), &[7; 30]);
    assert_refused(calibrate(&house, request(&named)).await, ErrorCode::DatasetInvalid, "label 7");

    let many = v1::CalibrateRequest { overlays: 30, ..request("datasets/clean") };
    assert_refused(calibrate(&house, many).await, ErrorCode::DatasetInvalid, "too few for 30 overlays");
    let passes = v1::DetectorSettings { passes: 50, ..entropy() };
    let passes = v1::CalibrateRequest { detectors: vec![passes], ..request("datasets/clean") };
    assert_refused(calibrate(&house, passes).await, ErrorCode::InvalidField, "50 passes need 50 overlays");
    let unknown = v1::DetectorSettings { detector: "crystal_ball".to_owned(), ..Default::default() };
    let unknown = v1::CalibrateRequest { detectors: vec![unknown], ..request("datasets/clean") };
    assert_refused(calibrate(&house, unknown).await, ErrorCode::InvalidField, "crystal_ball");
    let inside = v1::DetectorSettings { detector: "channel_dropout".to_owned(), ..Default::default() };
    let inside = v1::CalibrateRequest { detectors: vec![inside], ..request("datasets/clean") };
    assert_refused(calibrate(&house, inside).await, ErrorCode::InvalidField, "cannot be cut");
}

/// The small network behind a root of `1.5 - x`: finite for every picture, NaN for sums of bright ones.
fn fragile() -> Vec<u8> {
    let mut graph = GraphBuilder::new("fragile");
    let sides = [HEIGHT, WIDTH, CHANNELS].map(|side| Extent::Fixed(side as u64));
    let shape: Vec<Extent> = std::iter::once(Extent::batch()).chain(sides).collect();
    let input = graph.input_f32("pixels", &shape);
    let most = graph.initializer_f32("most", arr1(&[1.5_f32]).view());
    let left = graph.node("Sub", "left", &[&most, &input], Vec::new());
    let root = graph.node("Sqrt", "root", &[&left], Vec::new());
    let flat = graph.node("Flatten", "flat", &[&root], Vec::new());
    let weights =
        Array2::from_shape_fn((VALUES, CLASSES), |(row, class)| ((row * 7 + class * 3) % 5) as f32 / 8.0);
    let weights = graph.initializer_f32("weights", weights.view());
    let logits = graph.node("MatMul", "logits", &[&flat, &weights], Vec::new());
    let output = graph.node("Softmax", "probabilities", &[&logits], Vec::new());
    graph.output_f32(&output, &[Extent::batch(), Extent::Fixed(CLASSES as u64)]);
    graph.finish().encode_to_vec()
}

#[tokio::test]
async fn a_network_that_answers_nan_to_blends_is_an_error_and_no_entropy() {
    let house = House::start().await;
    import_plain(&mut house.models().await, "model", &fragile()).await;
    let clean = store(&house, "clean", &pictures(0, 30), &(0..30).map(|n| n % 4).collect::<Vec<_>>());
    assert_refused(calibrate(&house, request(&clean)).await, ErrorCode::ModelNotFinite, "NaN");
}

#[tokio::test]
async fn a_calibration_of_another_version_is_never_used() {
    let (house, dataset) = small_house(40).await;
    let calibration = calibrate(&house, request(&dataset)).await.unwrap();
    set(&house, single("model", "strip_entropy", &calibration.name, 0.05)).await.unwrap();
    let mut guard = house.guard().await;
    let picture = crate::support::calls::picture(
        "models/model",
        crate::support::pictures::png(&crate::support::pictures::levels(77)),
    );
    let answer = crate::support::calls::classify(&mut guard, picture.clone()).await.unwrap();
    assert_ne!(answer.verdict(), v1::verdict::Kind::Unguarded);

    let other = Linear::new(3).onnx(Ending::Softmax);
    let promoted = v1::ImportModelSpecification { promote: true, ..specification("model") };
    let version = import(&mut house.models().await, promoted, &other).await.unwrap();
    assert_eq!(version.name, "models/model/versions/2");
    // The gateway may remember the old version for half a second; the new one is asked for by name.
    let named = v1::ClassifyRequest { model: version.name.clone(), ..picture };
    let refused = crate::support::calls::classify(&mut guard, named).await;
    assert_refused(refused, ErrorCode::CalibrationMismatch, "versions/1");
    let refused = set(&house, single("model", "strip_entropy", &calibration.name, 0.02)).await;
    assert_refused(refused, ErrorCode::CalibrationMismatch, "versions/1");

    let labels = own_labels(&Linear::new(3), &pictures(0, 40));
    let dataset = store(&house, "clean-two", &pictures(0, 40), &labels);
    let fitting = calibrate(&house, request(&dataset)).await.unwrap();
    set(&house, single("model", "strip_entropy", &fitting.name, 0.05)).await.unwrap();
}
