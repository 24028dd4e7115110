//! The real worker: a small network is pruned, tuned, judged and written, and comes out the same however often its
//! worker dies.

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_tests::house::House;

use super::support::{asked, create, ended, events, house_with, jobs, kill, until, versions_of, workers_of};

fn tuned(epochs: i32, learning_rate: f64) -> v1::PruningSpecification {
    v1::PruningSpecification {
        fine_tuning: FineTuning::Ft.into(),
        epochs,
        // The accuracy of a network that nobody has trained is poor: let it fall.
        max_accuracy_drop: 0.5,
        parameters: [("learning_rate".to_owned(), learning_rate)].into(),
        seed: 3,
        ..asked()
    }
}

async fn digest_of(house: &House, job: &str) -> String {
    let versions = versions_of(&mut house.models().await, job).await;
    assert_eq!(versions.len(), 1, "{versions:?}");
    versions[0].digest.clone()
}

#[tokio::test]
async fn a_small_network_goes_through_all_stages() {
    let house = house_with(&[]).await;
    let mut jobs = jobs(&house).await;
    let name = create(&mut jobs, tuned(2, 0.05), "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    assert_eq!(job.state(), State::Succeeded, "{job:?}");
    assert_eq!((job.layer.as_str(), job.attempts), ("pool_3", 1));
    assert!((0..6).contains(&job.pruned_channels), "{job:?}");
    let rates = [job.clean_accuracy_before, job.clean_accuracy_after];
    assert!(rates.iter().all(|rate| (0.0..=1.0).contains(rate)), "{job:?}");
    assert!(job.attack_success_rate_after.contains_key("datasets/worn"), "{job:?}");
    let gate = job.gate.clone().unwrap();
    assert!(!gate.reason.is_empty() && gate.result != 0, "{gate:?}");
    assert_eq!(versions_of(&mut house.models().await, &name).await.len(), 1);

    let stages: Vec<String> = events(&mut jobs, &name, 0)
        .await
        .into_iter()
        .filter_map(|event| event.progress.map(|progress| progress.stage))
        .fold(Vec::new(), |mut stages, stage| {
            if stages.last() != Some(&stage) {
                stages.push(stage);
            }
            stages
        });
    let expected = ["load", "baseline", "rank", "prune", "choose", "fine_tune", "gate", "export"];
    assert_eq!(
        stages.iter().filter(|stage| !stage.is_empty()).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );

    let folder = house.folder.path().join("report");
    let written = house.command(&["job", "report", &name, "-o", &folder.to_string_lossy()]);
    assert!(written.status.success(), "{written:?}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["job"], name.as_str());
    assert_eq!(report["curve"].as_array().unwrap().len(), 7, "six channels");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("fine-tuned only") && page.contains("GoodNet"), "the table is there");
    assert!(folder.join("prune-curve.svg").exists() && folder.join("networks.csv").exists());
}

#[tokio::test]
async fn a_worker_killed_at_any_stage_changes_no_weight() {
    let house = house_with(&[]).await;
    let mut jobs = jobs(&house).await;
    let specification = || tuned(30, 0.02);
    let name = create(&mut jobs, specification(), "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    assert_eq!((job.state(), job.attempts), (State::Succeeded, 1), "{job:?}");
    let expected = digest_of(&house, &name).await;
    for (stage, done) in [("prune", 0), ("fine_tune", 3), ("fine_tune", 35), ("gate", 0)] {
        let name = create(&mut jobs, specification(), "").await.unwrap().name;
        let reached = |job: &v1::PruningJob| job.end_time.is_some() || job.stage == stage && job.done >= done;
        until(&mut jobs, &name, reached).await;
        workers_of(house.trainer.id()).into_iter().for_each(kill);
        let job = ended(&mut jobs, &name).await;
        assert_eq!(job.state(), State::Succeeded, "{stage}: {job:?}");
        assert_eq!(digest_of(&house, &name).await, expected, "{stage} {done}, {} attempts", job.attempts);
    }
}

#[tokio::test]
async fn a_training_that_leaves_the_numbers_says_at_which_step() {
    let house = house_with(&[]).await;
    let mut jobs = jobs(&house).await;
    let name = create(&mut jobs, tuned(5, 1e30), "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!((job.state(), fault.reason.as_str()), (State::Failed, "NUMERICAL_FAULT"), "{job:?}");
    assert!(fault.message.contains("at step"), "{}", fault.message);
    assert_eq!(job.attempts, 1, "it would end the same way again");
}

#[tokio::test]
async fn unknown_parameters_are_named() {
    let house = house_with(&[]).await;
    let mut jobs = jobs(&house).await;
    let mut specification = tuned(1, 0.1);
    specification.parameters.insert("momentun".to_owned(), 0.5);
    let name = create(&mut jobs, specification, "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!((job.state(), fault.reason.as_str()), (State::Failed, "INVALID_FIELD"), "{job:?}");
    assert!(
        fault.message.contains("\"momentun\"") && fault.message.contains("learning_rate"),
        "{}",
        fault.message
    );
}
