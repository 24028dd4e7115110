//! The detector goes away, comes late, or has too much to do.

use std::time::Duration;

use futures::StreamExt;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::scan_stream_response::Outcome;
use tonic::Request;

use super::support::{calibrate, detection, entropy, scan_request, set, single, small_house};
use crate::support::calls::{assert_refused, classify, picture};
use crate::support::pictures::{levels, png};

async fn guarded(failure: v1::policy::Failure) -> gifthorse_tests::house::House {
    let (house, dataset) = small_house(60).await;
    let request = v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset,
        detectors: vec![entropy()],
        ..Default::default()
    };
    let calibration = calibrate(&house, request).await.unwrap();
    let policy = single("model", "strip_entropy", &calibration.name, 0.05);
    set(&house, v1::Policy { failure: failure.into(), ..policy }).await.unwrap();
    house
}

fn asked() -> v1::ClassifyRequest {
    picture("models/model", png(&levels(500)))
}

#[tokio::test]
async fn without_its_detector_a_closed_policy_gives_no_label() {
    let mut house = guarded(v1::policy::Failure::FailClosed).await;
    let mut guard = house.guard().await;
    let answer = classify(&mut guard, asked()).await.unwrap();
    assert!(answer.p_value.is_some());
    assert_eq!(answer.policy, "policies/model/versions/1");
    house.detector.signal("KILL");
    house.detector.wait();
    assert_refused(classify(&mut guard, asked()).await, ErrorCode::DetectorUnavailable, "detector");
}

#[tokio::test]
async fn without_its_detector_an_open_policy_marks_the_label_undecided() {
    let mut house = guarded(v1::policy::Failure::FailOpen).await;
    let mut guard = house.guard().await;
    let before = classify(&mut guard, asked()).await.unwrap();
    house.detector.signal("KILL");
    house.detector.wait();
    let after = classify(&mut guard, asked()).await.unwrap();
    assert_eq!(after.verdict(), v1::verdict::Kind::Undecided);
    assert_eq!(after.label, before.network_label);
    assert!(after.detectors.iter().any(|finding| !finding.fault.is_empty()));
}

#[tokio::test]
async fn a_detector_that_is_too_slow_costs_the_label_only_where_the_policy_says_so() {
    for failure in [v1::policy::Failure::FailClosed, v1::policy::Failure::FailOpen] {
        let house = guarded(failure).await;
        let mut guard = house.guard().await;
        classify(&mut guard, asked()).await.unwrap();
        house.detector.signal("STOP");
        let mut request = Request::new(asked());
        request.set_timeout(Duration::from_secs(2));
        let answered = guard.classify(request).await;
        house.detector.signal("CONT");
        if failure == v1::policy::Failure::FailOpen {
            let answer = answered.unwrap().into_inner();
            assert_eq!(answer.verdict(), v1::verdict::Kind::Undecided);
        } else {
            let refused = answered.unwrap_err();
            let code = code_of(&refused);
            let late = [Some(ErrorCode::DeadlineExceeded), Some(ErrorCode::DetectorUnavailable)];
            // On a busy machine the caller's own clock is the first.
            let own = code.is_none() && refused.message() == "Timeout expired";
            assert!(own || late.contains(&code), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn thousands_of_scans_that_nobody_waits_for_any_more_leave_nothing_behind() {
    let house = guarded(v1::policy::Failure::FailClosed).await;
    let list = v1::ListCalibrationsRequest::default();
    let mut client = detection(&house).await;
    let calibration = client.list_calibrations(list).await.unwrap().into_inner().calibrations.remove(0).name;
    client.scan(scan_request(&calibration, 1, true)).await.unwrap();
    let before = house.detector.memory_bytes();
    let scans = (0..5000).map(|seed| {
        let mut client = client.clone();
        let request = scan_request(&calibration, seed, true);
        async move { client.scan(request).await }
    });
    let mut scans = Box::pin(futures::stream::iter(scans).buffer_unordered(5000));
    // Some are answered, some refused because the line is full; then all others lose their callers.
    for _ in 0..50 {
        match scans.next().await.unwrap() {
            Ok(_) => {}
            Err(refused) => {
                let code = code_of(&refused);
                let busy = [Some(ErrorCode::QueueFull), Some(ErrorCode::Overloaded)];
                assert!(busy.contains(&code), "{refused:?}");
            }
        }
    }
    drop(scans);
    let after = client.scan(scan_request(&calibration, 9, true)).await.unwrap().into_inner();
    assert_eq!(after.detectors.len(), 1);
    let grown = house.detector.memory_bytes().saturating_sub(before);
    assert!(grown < 300 << 20, "{grown} bytes more than before");
}

#[tokio::test]
async fn a_stream_answers_every_scan_in_order() {
    let house = guarded(v1::policy::Failure::FailClosed).await;
    let mut client = detection(&house).await;
    let list = v1::ListCalibrationsRequest::default();
    let calibration = client.list_calibrations(list).await.unwrap().into_inner().calibrations.remove(0).name;
    let requests = (0..40).map(|seed| v1::ScanStreamRequest {
        id: seed.to_string(),
        request: Some(if seed == 7 {
            v1::ScanRequest { tensor: None, ..scan_request(&calibration, seed, false) }
        } else {
            scan_request(&calibration, seed, false)
        }),
    });
    let requests: Vec<_> = requests.collect();
    let mut answers = client.scan_stream(futures::stream::iter(requests)).await.unwrap().into_inner();
    for seed in 0..40 {
        let answer = answers.message().await.unwrap().expect("an answer for every request");
        assert_eq!(answer.id, seed.to_string());
        match answer.outcome {
            Some(Outcome::Error(error)) => assert_eq!((seed, error.reason.as_str()), (7, "INVALID_FIELD")),
            Some(Outcome::Response(response)) => assert!(response.p_value > 0.0),
            None => panic!("answer {seed} is empty"),
        }
    }
}
