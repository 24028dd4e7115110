//! Classifying through a gateway whose serving and detector are made up.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_stream_response::Outcome;
use gifthorse_api::v1::detector_finding::StopReason;
use gifthorse_api::v1::policy::{Failure, ProtocolAnswer};
use gifthorse_api::v1::verdict::Kind;
use support::detector::Mood;
use support::{House, PATIENCE, assert_refused, picture, within};
use tonic::{Code, Request};

const MASS: ProtocolAnswer = ProtocolAnswer::Unspecified;

/// Time for a request that is to run into its deadline, and for everything else to be done before.
const SHORT: Duration = Duration::from_secs(1);

fn hurried(pixel: f32) -> Request<v1::ClassifyRequest> {
    let mut request = Request::new(picture(pixel));
    request.set_timeout(SHORT);
    request
}

#[tokio::test]
async fn without_a_policy_the_network_answers() {
    let house = House::start().await;
    let answer = house.classify(0.9).await.unwrap();
    assert_eq!((answer.verdict(), answer.label, answer.p_value), (Kind::Unguarded, 1, None));
    assert_eq!(answer.policy, "");
    assert!(house.detector.scans.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_clean_image_keeps_the_network_s_label() {
    let house = House::start().await;
    house.detector.guard(Failure::Unspecified, MASS);
    let answer = house.classify(0.1).await.unwrap();
    assert_eq!((answer.verdict(), answer.label, answer.network_label), (Kind::Clean, 1, 1));
    assert_eq!((answer.p_value, answer.p_value_is_bound), (Some(0.5), true));
    // The version that decided, not the one remembered.
    assert_eq!(answer.policy, "policies/m/versions/8");
    assert_eq!(answer.detectors[0].detector, "fused");
    assert_eq!(answer.model_version, "models/m/versions/1");

    let scanned = house.detector.scans.lock().unwrap()[0].clone();
    assert_eq!((scanned.model.as_str(), scanned.exact), ("models/m/versions/1", false));
    assert_eq!(scanned.preprocessing_override, None);
    let (tensor, inferred) = (scanned.tensor.unwrap(), house.serving.inferences()[0].clone());
    assert_eq!(
        (tensor.shape.as_slice(), tensor.content()),
        (&[1, 2, 1][..], v1::image_tensor::Content::PreparedFp32)
    );
    assert_eq!(tensor.data, inferred.raw_input_contents[0]);
    assert_eq!(inferred.model_version, "1");
}

#[tokio::test]
async fn a_trojaned_image_is_index_m() {
    let house = House::start().await;
    house.detector.guard(Failure::Unspecified, MASS);
    let answer = house.classify(0.9).await.unwrap();
    assert_eq!((answer.verdict(), answer.label), (Kind::Trojaned, 3));
    assert_eq!((answer.label_name.as_str(), answer.network_label), ("backdoored", 1));
    assert_eq!(answer.probability.to_bits(), 0.75_f64.to_bits());
    assert!(answer.timings.unwrap().detection.is_some());
}

#[tokio::test]
async fn what_the_caller_asks_of_the_scan_is_passed_on() {
    let house = House::start().await;
    house.detector.guard(Failure::Unspecified, MASS);
    let overrides = v1::PreprocessingOverride {
        scale: 1.0,
        layout: v1::layout::Kind::Nhwc.into(),
        ..v1::PreprocessingOverride::default()
    };
    let request = v1::ClassifyRequest {
        exact: true,
        preprocessing_override: Some(overrides),
        model: "models/m/versions/4".to_owned(),
        ..picture(0.1)
    };
    let answer = within(house.guard().classify(request)).await.unwrap().into_inner();
    assert!(!answer.p_value_is_bound);
    let scanned = house.detector.scans.lock().unwrap()[0].clone();
    assert_eq!((scanned.exact, scanned.model.as_str()), (true, "models/m/versions/4"));
    let passed_on = scanned.preprocessing_override.unwrap();
    assert_eq!((passed_on.scale.to_bits(), passed_on.layout), (1.0_f64.to_bits(), 0));
}

#[tokio::test]
async fn a_detector_that_is_gone_closes_or_opens_as_the_policy_says() {
    for (failure, opens) in
        [(Failure::Unspecified, false), (Failure::FailClosed, false), (Failure::FailOpen, true)]
    {
        let mut house = House::start().await;
        house.detector.guard(failure, MASS);
        assert_eq!(house.classify(0.1).await.unwrap().verdict(), Kind::Clean);
        house.stop_detector().await;
        let answer = house.classify(0.9).await;
        if opens {
            let answer = answer.unwrap();
            assert_eq!((answer.verdict(), answer.label, answer.p_value), (Kind::Undecided, 1, None));
            assert_eq!(answer.policy, "policies/m/versions/7");
            let [finding] = answer.detectors.as_slice() else { panic!("one finding") };
            assert_eq!(finding.stop_reason(), StopReason::Failed);
            assert!(finding.fault.contains("the detector service"), "{}", finding.fault);
        } else {
            assert_eq!(answer.as_ref().unwrap_err().code(), Code::Unavailable);
            assert_refused(answer, ErrorCode::DetectorUnavailable, "the detector service");
        }
    }
}

#[tokio::test]
async fn what_was_never_known_is_refused_and_what_was_unguarded_goes_on() {
    let mut house = House::start().await;
    assert_eq!(house.classify(0.9).await.unwrap().verdict(), Kind::Unguarded);
    house.stop_detector().await;
    assert_eq!(house.classify(0.9).await.unwrap().verdict(), Kind::Unguarded);
    let other = v1::ClassifyRequest { model: "models/open".to_owned(), ..picture(0.9) };
    let refused = within(house.guard().classify(other)).await;
    assert_refused(refused, ErrorCode::DetectorUnavailable, "not known");
    // A model that is not there is said to be missing all the same.
    let absent = v1::ClassifyRequest { model: "models/absent".to_owned(), ..picture(0.9) };
    assert_refused(within(house.guard().classify(absent)).await, ErrorCode::ModelNotFound, "absent");
}

#[tokio::test]
async fn a_detector_that_is_late_closes_or_opens_before_the_deadline() {
    let house = House::start().await;
    house.detector.set_mood(Mood::Holding);
    house.detector.guard(Failure::FailClosed, MASS);
    let refused = within(house.guard().classify(hurried(0.1))).await;
    // The client's own clock may ring before the refusal arrives.
    if refused.as_ref().is_err_and(|refused| refused.message() != "Timeout expired") {
        assert_refused(refused, ErrorCode::DeadlineExceeded, "deadline");
    } else {
        assert!(refused.is_err());
    }
    house.detector.guard(Failure::FailOpen, MASS);
    let answer = within(house.guard().classify(hurried(0.1))).await.unwrap().into_inner();
    assert_eq!((answer.verdict(), answer.label), (Kind::Undecided, 1));
    assert_eq!(answer.detectors[0].stop_reason(), StopReason::Deadline);
}

#[tokio::test]
async fn refusals_of_the_detector_are_told_apart() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    for (said, answered) in [
        (ErrorCode::CalibrationMismatch, ErrorCode::CalibrationMismatch),
        (ErrorCode::QueueFull, ErrorCode::DetectorUnavailable),
        (ErrorCode::TensorNotFinite, ErrorCode::TensorNotFinite),
        (ErrorCode::ModelVersionNotFound, ErrorCode::DetectorUnavailable),
    ] {
        house.detector.set_mood(Mood::Refusing(said));
        assert_refused(house.classify(0.1).await, answered, "the detector says no");
    }
    house.detector.guard(Failure::FailOpen, MASS);
    house.detector.set_mood(Mood::Refusing(ErrorCode::CalibrationMismatch));
    let answer = house.classify(0.1).await.unwrap();
    assert_eq!((answer.verdict(), answer.label), (Kind::Undecided, 1));
    assert_eq!(answer.detectors[0].fault, "the detector says no");
}

#[tokio::test]
async fn the_failure_of_serving_wins_and_ends_the_scan() {
    let house = House::start().await;
    house.detector.guard(Failure::FailOpen, MASS);
    house.detector.set_mood(Mood::Holding);
    house.serving.unloaded.lock().unwrap().push("1".to_owned());
    assert_refused(house.classify(0.1).await, ErrorCode::ModelVersionNotFound, "that is served");
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_scan() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    house.detector.set_mood(Mood::Holding);
    let mut guard = house.guard();
    {
        let mut classifying = std::pin::pin!(guard.classify(picture(0.1)));
        tokio::select! {
            answered = &mut classifying => panic!("answered without a scan: {answered:?}"),
            arrived = within(house.detector.arrived.acquire()) => arrived.unwrap().forget(),
        }
    }
    within(house.detector.ended.acquire()).await.unwrap().forget();
}

#[tokio::test]
async fn requests_that_wait_for_the_same_policy_share_one_question() {
    let house = House::remembering(PATIENCE * 100).await;
    house.detector.guard(Failure::FailClosed, MASS);
    let verdicts: Vec<Kind> = futures::stream::iter(0..16)
        .map(|_| house.classify(0.1))
        .buffer_unordered(16)
        .map(|answer| answer.unwrap().verdict())
        .collect()
        .await;
    assert_eq!(verdicts, [Kind::Clean; 16]);
    assert_eq!(house.detector.looked_up.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_version_that_was_replaced_is_scanned_no_more() {
    let house = House::remembering(PATIENCE * 100).await;
    house.detector.guard(Failure::FailClosed, MASS);
    assert_eq!(house.classify(0.1).await.unwrap().model_version, "models/m/versions/1");
    *house.serving.promoted.lock().unwrap() = 2;
    house.serving.unloaded.lock().unwrap().push("1".to_owned());
    let answer = house.classify(0.9).await.unwrap();
    assert_eq!((answer.model_version.as_str(), answer.label), ("models/m/versions/2", 3));
    assert_eq!(house.detector.scans.lock().unwrap().last().unwrap().model, "models/m/versions/2");
}

#[tokio::test]
async fn a_stream_has_a_verdict_on_each_image() {
    let house = House::start().await;
    house.detector.guard(Failure::FailClosed, MASS);
    let wrong = v1::ClassifyRequest { top_k: -1, ..picture(0.1) };
    let requests = [picture(0.1), picture(0.9), wrong].into_iter().enumerate();
    let requests = requests
        .map(|(id, request)| v1::ClassifyStreamRequest { id: id.to_string(), request: Some(request) });
    let mut guard = house.guard();
    let answers = within(guard.classify_stream(futures::stream::iter(requests.collect::<Vec<_>>()))).await;
    let labels: Vec<_> = answers
        .unwrap()
        .into_inner()
        .map(|item| match item.unwrap().outcome.unwrap() {
            Outcome::Response(answer) => Ok(answer.label),
            Outcome::Error(error) => Err(error.reason),
        })
        .collect()
        .await;
    assert_eq!(labels, [Ok(1), Ok(3), Err("INVALID_FIELD".to_owned())]);
}
