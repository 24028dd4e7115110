//! Data sets made in the tests, and the calls that most of these tests make.

use std::path::Path;

use gifthorse_api::v1;
use gifthorse_api::v1::calibrate_response::Content;
use gifthorse_api::v1::detection_client::DetectionClient;
use gifthorse_api::v1::policies_client::PoliciesClient;
use gifthorse_tests::house::House;
use ndarray::{Array1, Array4};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::support::network::{CHANNELS, CLASSES, HEIGHT, Linear, WIDTH};
use crate::support::pictures::levels;

/// A client of the gateway's `Detection`.
pub(crate) async fn detection(house: &House) -> DetectionClient<Channel> {
    DetectionClient::new(house.channel().await)
}

/// A client of the gateway's `Policies`.
pub(crate) async fn policies(house: &House) -> PoliciesClient<Channel> {
    PoliciesClient::new(house.channel().await)
}

/// `count` pictures of the small network's size, other ones for every `first`, `[N, C, H, W]`.
pub(crate) fn pictures(first: usize, count: usize) -> Array4<u8> {
    Array4::from_shape_fn((count, CHANNELS, HEIGHT, WIDTH), |(index, channel, row, column)| {
        levels(first + index)[(row * WIDTH + column) * CHANNELS + channel]
    })
}

/// The classes that the network itself sees in pictures, so that it names all of them right.
pub(crate) fn own_labels(network: &Linear, images: &Array4<u8>) -> Vec<i64> {
    let best = |image: &[f32]| {
        let answers = network.answers(image);
        (0..CLASSES).max_by(|a, b| answers[*a].total_cmp(&answers[*b])).unwrap() as i64
    };
    images
        .outer_iter()
        .map(|image| {
            let last = image.permuted_axes([1, 2, 0]);
            best(&last.iter().map(|level| f32::from(*level) / 255.0).collect::<Vec<_>>())
        })
        .collect()
}

/// Stores a data set and gives its name.
pub(crate) fn store(house: &House, name: &str, images: &Array4<u8>, labels: &[i64]) -> String {
    let path = house.folder.path().join(format!("{name}.h5"));
    let file = hdf5::File::create(&path).unwrap();
    file.new_dataset_builder().with_data(images).create("data").unwrap();
    file.new_dataset_builder().with_data(&Array1::from(labels.to_vec())).create("label").unwrap();
    file.close().unwrap();
    add(house, name, &path)
}

/// Stores a data set file and gives the data set's name.
pub(crate) fn add(house: &House, name: &str, path: &Path) -> String {
    house.json(&["dataset", "add", name, &path.to_string_lossy()]);
    format!("datasets/{name}")
}

/// The calibration of a request, or why there is none.
pub(crate) async fn calibrate(
    house: &House,
    request: v1::CalibrateRequest,
) -> Result<v1::Calibration, Status> {
    let mut answers = detection(house).await.calibrate(request).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        if let Some(Content::Calibration(calibration)) = answer.content {
            return Ok(calibration);
        }
    }
    panic!("the stream ended without a calibration")
}

/// STRIP's entropy, by its name.
pub(crate) fn entropy() -> v1::DetectorSettings {
    v1::DetectorSettings { detector: "strip_entropy".to_owned(), ..Default::default() }
}

/// A policy of one detector.
pub(crate) fn single(model: &str, detector: &str, calibration: &str, alpha: f64) -> v1::Policy {
    v1::Policy {
        model: format!("models/{model}"),
        combination: v1::policy::Combination::WeightedMinP.into(),
        alpha,
        detectors: vec![v1::PolicyDetector {
            detector: detector.to_owned(),
            calibration: calibration.to_owned(),
            weight: 1.0,
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Puts a policy in force.
pub(crate) async fn set(house: &House, policy: v1::Policy) -> Result<v1::Policy, Status> {
    let request = v1::SetPolicyRequest { policy: Some(policy), ..Default::default() };
    policies(house).await.set_policy(Request::new(request)).await.map(tonic::Response::into_inner)
}

/// A scan of one picture of the small network's size by a calibration.
pub(crate) fn scan_request(calibration: &str, seed: usize, exact: bool) -> v1::ScanRequest {
    v1::ScanRequest {
        calibration: calibration.to_owned(),
        detector: "strip_entropy".to_owned(),
        alpha: 0.05,
        exact,
        tensor: Some(v1::ImageTensor {
            shape: vec![HEIGHT as i32, WIDTH as i32, CHANNELS as i32],
            content: v1::image_tensor::Content::PixelsUint8.into(),
            data: levels(seed).into(),
        }),
        ..Default::default()
    }
}

/// A small network, imported as `model`, and clean data that it names right, stored as `clean`.
pub(crate) async fn small_house(count: usize) -> (House, String) {
    let house = House::start().await;
    let (network, clean) = (Linear::new(0), pictures(0, count));
    let file = network.onnx(crate::support::network::Ending::Softmax);
    crate::support::calls::import_plain(&mut house.models().await, "model", &file).await;
    let labels = own_labels(&network, &clean);
    let dataset = store(&house, "clean", &clean, &labels);
    (house, dataset)
}
