//! What a calibration can promise, and what it refuses to.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;

use super::support::{calibrate, entropy, policies, set, single, small_house};
use crate::support::calls::assert_refused;

/// A calibration of exactly 99 inputs with STRIP's entropy and margin.
async fn ninety_nine() -> (gifthorse_tests::house::House, v1::Calibration) {
    let (house, dataset) = small_house(99 + 20 + 10).await;
    let margin = v1::DetectorSettings { detector: "strip_margin".to_owned(), ..Default::default() };
    let request = v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset,
        detectors: vec![entropy(), margin],
        overlays: 20,
        reference_images: 10,
        ..Default::default()
    };
    let calibration = calibrate(&house, request).await.unwrap();
    assert_eq!(calibration.detectors[0].calibration_images, 99);
    (house, calibration)
}

fn shared(calibration: &v1::Calibration, alpha: f64) -> v1::Policy {
    let member = |detector: &str| v1::PolicyDetector {
        detector: detector.to_owned(),
        calibration: calibration.name.clone(),
        weight: 0.5,
        ..Default::default()
    };
    let detectors = vec![member("strip_entropy"), member("strip_margin")];
    v1::Policy { detectors, ..single("model", "strip_entropy", &calibration.name, alpha) }
}

#[tokio::test]
async fn ninety_nine_inputs_support_one_percent_once_and_say_what_more_would_take() {
    let (house, calibration) = ninety_nine().await;
    let one = set(&house, single("model", "strip_entropy", &calibration.name, 0.01)).await.unwrap();
    assert!(!one.detectors[0].early_rejection, "99 inputs do not pay for two looks at 1 %");

    let refused = set(&house, shared(&calibration, 0.01)).await;
    let refused = assert_refused(refused, ErrorCode::CalibrationTooSmall, "199");
    assert!(refused.message().contains("0.02"), "{}", refused.message());
    let refused = set(&house, single("model", "strip_entropy", &calibration.name, 0.001)).await;
    assert_refused(refused, ErrorCode::CalibrationTooSmall, "999");
    let confident =
        v1::Policy { confidence: 0.95, ..single("model", "strip_entropy", &calibration.name, 0.01) };
    assert_refused(set(&house, confident).await, ErrorCode::CalibrationTooSmall, "299");

    // What was refused changed nothing.
    let name = "policies/model".to_owned();
    let current = policies(&house).await.get_policy(v1::GetPolicyRequest { name }).await.unwrap();
    assert_eq!(current.into_inner().name, one.name);

    let both = set(&house, shared(&calibration, 0.05)).await.unwrap();
    assert_eq!(both.name, "policies/model/versions/2");
    assert!(both.detectors.iter().all(|detector| detector.threshold != 0.0));
    let early = set(&house, single("model", "strip_entropy", &calibration.name, 0.05)).await.unwrap();
    assert!(early.detectors[0].early_rejection, "99 inputs pay for looks at 5 %");
}

#[tokio::test]
async fn policies_have_versions_and_can_be_cleared() {
    let (house, calibration) = ninety_nine().await;
    let first = set(&house, single("model", "strip_entropy", &calibration.name, 0.01)).await.unwrap();
    let again = set(&house, single("model", "strip_entropy", &calibration.name, 0.01)).await.unwrap();
    assert_eq!(first.name, again.name, "the same policy is no new version");
    let second = set(&house, single("model", "strip_margin", &calibration.name, 0.02)).await.unwrap();
    let mut client = policies(&house).await;
    let parent = "policies/model".to_owned();
    let listed = client
        .list_policy_versions(v1::ListPolicyVersionsRequest { parent: parent.clone(), ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    let names: Vec<_> = listed.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, [second.name.as_str(), first.name.as_str()]);
    client.clear_policy(v1::ClearPolicyRequest { name: parent.clone() }).await.unwrap();
    let gone = client.get_policy(v1::GetPolicyRequest { name: parent }).await;
    assert_refused(gone, ErrorCode::ResourceNotFound, "unguarded");
    let old = client.get_policy(v1::GetPolicyRequest { name: first.name.clone() }).await.unwrap();
    assert_eq!(old.into_inner().name, first.name);
}
