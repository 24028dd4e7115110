//! The same bytes have the same score.

use gifthorse_api::v1;
use gifthorse_api::v1::detection_client::DetectionClient;
use gifthorse_tests::house::{connect, wait_until_serving};
use gifthorse_tests::program::Program;

use super::support::{calibrate, entropy, scan_request, small_house};

async fn scores(program: &Program, calibration: &str) -> Vec<u64> {
    let mut client = DetectionClient::new(connect(program).await);
    let mut scores = Vec::new();
    for seed in 500..520 {
        let answer = client.scan(scan_request(calibration, seed, true)).await.unwrap().into_inner();
        scores.push(answer.detectors[0].score.to_bits());
    }
    scores
}

#[tokio::test]
async fn scores_are_equal_to_the_last_bit_on_every_replica_and_for_every_batch_size() {
    let (house, dataset) = small_house(60).await;
    let request = v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset,
        detectors: vec![entropy()],
        ..Default::default()
    };
    let calibration = calibrate(&house, request.clone()).await.unwrap();
    let again = calibrate(&house, request).await.unwrap();
    assert_eq!(calibration, again, "the same request is the same calibration");
    let first = scores(&house.detector, &calibration.name).await;
    let store = house.folder.path().join("data").display().to_string();
    for own in [
        [("scan.max_rows", "5"), ("engine.threads", "1")],
        [("scan.max_rows", "64"), ("engine.threads", "2")],
    ] {
        let common =
            [("store.url".to_owned(), store.clone()), ("service.drain.notice".to_owned(), "0s".to_owned())];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let replica = Program::start("detector", &[common, own].concat(), house.folder.path());
        wait_until_serving(&replica).await;
        assert_eq!(scores(&replica, &calibration.name).await, first);
    }
}
