//! A repaired version and its suspect as a guarded pair: one answers, the other is watched, and what they make of an
//! input together is evidence.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::policy::Combination;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_api::v1::verdict::Kind;
use gifthorse_tests::house::House;
use tonic::Status;

use super::support::{asked, create, ended, house_with, jobs, versions_of};
use crate::detection::support::{calibrate, detection, set};
use crate::support::calls::{assert_refused, classify, picture, promote};
use crate::support::pictures::{levels, png};

/// Pictures that are classified.
const PICTURES: std::ops::Range<usize> = 100..130;

/// A house where a job has repaired `lab`, as the gate with this limit sees it; and the version it made.
async fn repaired(limit: f64) -> (House, v1::ModelVersion) {
    let house = house_with(&[]).await;
    let version = repair(&house, limit).await;
    (house, version)
}

async fn repair(house: &House, limit: f64) -> v1::ModelVersion {
    let specification = v1::PruningSpecification {
        fine_tuning: FineTuning::Ft.into(),
        epochs: 3,
        max_accuracy_drop: 0.5,
        parameters: [("learning_rate".to_owned(), 0.05)].into(),
        gate: Some(v1::GateLimits {
            max_accuracy_drop: 1.0,
            max_attack_success_rate: limit,
            ..Default::default()
        }),
        seed: 3,
        ..asked()
    };
    let mut jobs = jobs(house).await;
    let name = create(&mut jobs, specification, "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    assert_eq!(job.state(), State::Succeeded, "{job:?}");
    versions_of(&mut house.models().await, &name).await.remove(0)
}

fn detectors(settings: &[(&str, Option<u32>)]) -> Vec<v1::DetectorSettings> {
    let one = |(name, repaired): &(&str, Option<u32>)| v1::DetectorSettings {
        detector: (*name).to_owned(),
        parameters: repaired.map(|version| ("repaired".to_owned(), f64::from(version))).into_iter().collect(),
        ..Default::default()
    };
    settings.iter().map(one).collect()
}

async fn calibrated(
    house: &House,
    model: &str,
    settings: &[(&str, Option<u32>)],
) -> Result<v1::Calibration, Status> {
    let request = v1::CalibrateRequest {
        model: model.to_owned(),
        dataset: "datasets/clean".to_owned(),
        detectors: detectors(settings),
        overlays: 10,
        ..Default::default()
    };
    calibrate(house, request).await
}

fn policy(combination: Combination, calibration: &str, detectors: &[(&str, f64)]) -> v1::Policy {
    let one = |(detector, weight): &(&str, f64)| v1::PolicyDetector {
        detector: (*detector).to_owned(),
        calibration: calibration.to_owned(),
        weight: *weight,
        ..Default::default()
    };
    v1::Policy {
        model: "models/lab".to_owned(),
        combination: combination.into(),
        alpha: 0.2,
        detectors: detectors.iter().map(one).collect(),
        ..Default::default()
    }
}

/// What is answered to all pictures by `models/lab` or one of its versions.
async fn answers(house: &House, model: &str) -> Vec<v1::ClassifyResponse> {
    let mut guard = house.guard().await;
    let mut answers = Vec::new();
    for seed in PICTURES {
        answers.push(classify(&mut guard, picture(model, png(&levels(seed)))).await.unwrap());
    }
    answers
}

/// The same once they are all of this kind: what is set takes effect within half a second.
async fn answers_when(
    house: &House,
    wanted: impl Fn(&v1::ClassifyResponse) -> bool,
) -> Vec<v1::ClassifyResponse> {
    let started = std::time::Instant::now();
    loop {
        let found = answers(house, "models/lab").await;
        if found.iter().all(&wanted) {
            return found;
        }
        assert!(started.elapsed().as_secs() < 60, "it does not take effect: {found:?}");
    }
}

fn labels(answers: &[v1::ClassifyResponse]) -> Vec<i32> {
    answers.iter().map(|answer| answer.network_label).collect()
}

#[tokio::test]
async fn a_pair_answers_with_the_repaired_network_and_watches_the_suspect() {
    let (house, version) = repaired(1.0).await;
    assert_eq!(version.name, "models/lab/versions/2");
    assert!(version.files.iter().any(|file| file.file_name == "expert.onnx"), "{:?}", version.files);
    // Before anything guards them, each version says what it sees.
    let suspect = labels(&answers(&house, "models/lab/versions/1").await);
    let repaired = labels(&answers(&house, "models/lab/versions/2").await);
    assert_ne!(suspect, repaired, "tuning has changed something");

    let promoted = house.json(&["model", "promote", "lab@2"]).remove(0);
    assert_eq!(promoted["suspectVersion"], "models/lab/versions/1", "{promoted}");
    let settings = ["strip_entropy", "disagreement", "expert", "activation_shift", "noise_consistency"];
    let calibration = calibrated(&house, "models/lab", &settings.map(|name| (name, None))).await.unwrap();
    assert_eq!(calibration.model_version, "models/lab/versions/1", "the suspect is watched");
    let asked = calibration.detectors[1].settings.clone().unwrap();
    assert_eq!((asked.detector.as_str(), asked.parameters["repaired"]), ("disagreement", 2.0));
    assert_eq!(
        calibrated(&house, "models/lab", &settings.map(|name| (name, None))).await.unwrap(),
        calibration,
        "the same request is the same calibration"
    );

    let shares = settings.map(|name| (name, 0.2));
    let split = policy(Combination::WeightedMinP, &calibration.name, &shares);
    let split = set(&house, split).await.unwrap();
    let found = answers_when(&house, |answer| answer.policy == split.name).await;
    assert_eq!(labels(&found), suspect);
    for (answer, repaired) in found.iter().zip(&repaired) {
        assert_eq!(answer.model_version, "models/lab/versions/2");
        assert_eq!(answer.repaired_label, Some(*repaired));
        let trojaned = answer.verdict() == Kind::Trojaned;
        assert_eq!(answer.label, if trojaned { 4 } else { *repaired });
        let names: Vec<&str> = answer.detectors.iter().map(|finding| finding.detector.as_str()).collect();
        assert_eq!(names, settings);
        let disagreement = &answer.detectors[1];
        assert!((0.0..=1.0).contains(&disagreement.score) && disagreement.passes_used == 1);
        assert!(answer.detectors.iter().all(|finding| finding.p_value > 0.0 && finding.p_value <= 1.0));
    }
    assert!(found.iter().any(|answer| answer.verdict() == Kind::Clean));

    // As in older tools: whoever parts is an alarm, and nothing else is.
    let any = policy(Combination::AnyDisagreement, &calibration.name, &[("disagreement", 0.0)]);
    let any = set(&house, any).await.unwrap();
    assert_eq!(any.combination(), Combination::AnyDisagreement);
    let parted: Vec<bool> = suspect.iter().zip(&repaired).map(|(one, other)| one != other).collect();
    let found = answers_when(&house, |answer| answer.policy == any.name).await;
    let alarms: Vec<bool> = found.iter().map(|answer| answer.verdict() == Kind::Trojaned).collect();
    assert_eq!(alarms, parted);
    evaluated(&house, &parted).await;

    // And back: the suspect answers alone, its calibrations are still its own.
    let back = house.json(&["model", "promote", "lab@1"]).remove(0);
    assert_eq!(back["suspectVersion"].as_str().unwrap_or_default(), "", "{back}");
    let found = answers_when(&house, |answer| answer.model_version == "models/lab/versions/1").await;
    assert!(found.iter().all(|answer| answer.repaired_label.is_none()));
    assert_eq!(labels(&found), suspect);
}

/// An evaluation counts the answers of the repaired network and the alarms of both.
async fn evaluated(house: &House, parted: &[bool]) {
    let images =
        ndarray::Array4::from_shape_fn((PICTURES.len(), 3, 6, 5), |(index, channel, row, column)| {
            levels(PICTURES.start + index)[(row * 5 + column) * 3 + channel]
        });
    let labels: Vec<i64> = answers(house, "models/lab")
        .await
        .iter()
        .map(|answer| i64::from(answer.repaired_label.unwrap_or_default()))
        .collect();
    let dataset = crate::detection::support::store(house, "parted", &images, &labels);
    let request =
        v1::EvaluateRequest { model: "models/lab".to_owned(), clean_dataset: dataset, ..Default::default() };
    let mut stream = detection(house).await.evaluate(request).await.unwrap().into_inner();
    let mut evaluation = None;
    while let Some(message) = stream.message().await.unwrap() {
        if let Some(v1::evaluate_response::Content::Evaluation(found)) = message.content {
            evaluation = Some(found);
        }
    }
    let evaluation = evaluation.unwrap();
    let share = parted.iter().filter(|parted| **parted).count() as f64 / parted.len() as f64;
    let estimate = |interval: &Option<v1::Interval>| interval.as_ref().unwrap().estimate;
    assert!((estimate(&evaluation.false_rejection_rate) - share).abs() < 1e-9, "{evaluation:?}");
    // The labels are the repaired network's answers: where it is not overruled it is right.
    assert!((estimate(&evaluation.guarded_clean_accuracy) - (1.0 - share)).abs() < 1e-9);
    assert!((estimate(&evaluation.clean_accuracy) - (1.0 - share)).abs() < 1e-9, "the suspect's own");
    assert!(evaluation.notes.iter().any(|note| note.contains("versions/2")), "{:?}", evaluation.notes);
}

#[tokio::test]
async fn a_network_that_the_gate_stopped_has_no_vote() {
    // A limit that no interval of so few images can meet.
    let (house, version) = repaired(1e-6).await;
    let gate = version.repair_gate.clone().unwrap();
    assert_eq!(gate.result(), v1::repair_gate::Result::NotRepaired, "{gate:?}");
    let of = async |settings: &[(&str, Option<u32>)]| calibrated(&house, "models/lab", settings).await;
    assert_refused(of(&[("disagreement", Some(2))]).await, ErrorCode::NotRepaired, "may not vote");
    assert_refused(of(&[("disagreement", None)]).await, ErrorCode::InvalidField, "nothing is promoted over");
    assert_refused(
        of(&[("disagreement", Some(1))]).await,
        ErrorCode::InvalidField,
        "did not come of a repair",
    );
    assert_refused(of(&[("disagreement", Some(9))]).await, ErrorCode::ModelVersionNotFound, "9");
    assert_refused(
        of(&[("disagreement", Some(1)), ("expert", Some(2))]).await,
        ErrorCode::InvalidField,
        "different versions",
    );
    assert_refused(of(&[("activation_shift", Some(2))]).await, ErrorCode::InvalidField, "does not have");
    // The expert stands for itself.
    let calibration = of(&[("expert", Some(2))]).await.unwrap();
    let alone = policy(Combination::WeightedMinP, &calibration.name, &[("expert", 1.0)]);
    set(&house, alone.clone()).await.unwrap();
    let found = answers_when(&house, |answer| !answer.policy.is_empty()).await;
    let passes: Vec<i32> = found.iter().map(|answer| answer.detectors[0].passes_used).collect();
    assert!(passes.iter().all(|passes| *passes == 1), "without a repaired network beside it: {passes:?}");
    let any = v1::Policy { combination: Combination::AnyDisagreement.into(), ..alone };
    assert_refused(set(&house, any).await, ErrorCode::InvalidField, "disagreement");
    let mut models = house.models().await;
    assert_refused(promote(&mut models, &version.name).await, ErrorCode::NotRepaired, "NOT_REPAIRED");
}
