//! Jobs as they are asked for: idempotent, checked, and planned without being stored.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_tests::house::House;
use tonic_types::StatusExt;

use super::support::{Jobs, asked, create, ended, get, house_with, jobs, plan, store};
use crate::support::calls::assert_refused;

/// What makes a good specification a bad one.
type Change = fn(&mut v1::PruningSpecification);

/// Nobody takes the jobs.
const QUIET: [(&str, &str, &str); 1] = [("trainer", "launcher.kind", "none")];

async fn count(jobs: &mut Jobs) -> usize {
    let listed = jobs.list_pruning_jobs(v1::ListPruningJobsRequest::default()).await.unwrap();
    listed.into_inner().pruning_jobs.len()
}

#[tokio::test]
async fn a_request_queues_one_job_and_its_id_means_that_job() {
    let house = house_with(&QUIET).await;
    let mut jobs = jobs(&house).await;
    let first = create(&mut jobs, asked(), "r-1").await.unwrap();
    assert_eq!((first.state(), first.attempts), (State::Queued, 0));
    let specification = first.specification.clone().unwrap();
    assert_eq!(specification.model, "models/lab/versions/1", "the promoted version, pinned");
    assert_eq!(specification.layer, "pool_3", "the nearest layer that nothing goes around");
    let again = create(&mut jobs, asked(), "r-1").await.unwrap();
    assert_eq!(again.name, first.name);
    let other = v1::PruningSpecification { seed: 7, ..asked() };
    assert_refused(create(&mut jobs, other, "r-1").await, ErrorCode::RequestIdReused, "r-1");
    assert_refused(create(&mut jobs, asked(), "two words").await, ErrorCode::InvalidField, "request_id");
    let unnamed = create(&mut jobs, asked(), "").await.unwrap();
    assert_ne!(unnamed.name, first.name);
    assert_eq!(count(&mut jobs).await, 2);
    assert_eq!(get(&mut jobs, &first.name).await.unwrap(), again);
    let missing = get(&mut jobs, "pruningJobs/job-0").await;
    assert_refused(missing, ErrorCode::ResourceNotFound, "job-0");
    assert_refused(get(&mut jobs, "jobs/1").await, ErrorCode::InvalidName, "pruningJobs/ID");
}

#[tokio::test]
async fn a_dry_run_tells_and_stores_nothing() {
    let house = house_with(&QUIET).await;
    let mut jobs = jobs(&house).await;
    let planned = plan(&mut jobs, asked()).await.unwrap();
    assert_eq!((planned.layer.as_str(), planned.channels), ("pool_3", 6));
    assert_eq!(planned.layers, ["conv_3", "relu_3", "pool_3", "conv_4", "relu_4"]);
    assert_eq!((planned.ranking_images, planned.scoring_images), (30, 30));
    assert!((planned.class_coverage - 1.0).abs() < 1e-9);
    assert!(planned.memory_bytes > 1 << 20 && planned.duration.unwrap().seconds > 0);
    assert_eq!(planned.jobs_ahead, 0);
    let says = |plan: &v1::PruningPlan, words: &str| plan.warnings.iter().any(|one| one.contains(words));
    assert!(says(&planned, "starts no workers"), "{:?}", planned.warnings);
    assert_eq!(count(&mut jobs).await, 0, "nothing is stored");

    create(&mut jobs, v1::PruningSpecification { priority: 1, ..asked() }, "").await.unwrap();
    let bypassed = v1::PruningSpecification {
        layer: "conv_4".to_owned(),
        clean_dataset: "datasets/partial".to_owned(),
        triggered: Vec::new(),
        score_on_all: true,
        ..asked()
    };
    let planned = plan(&mut jobs, bypassed).await.unwrap();
    assert_eq!((planned.ranking_images, planned.scoring_images, planned.jobs_ahead), (20, 20, 1));
    for words in ["goes around", "50.0 % of the classes", "no held-out accuracy", "no triggered images"] {
        assert!(says(&planned, words), "{words:?} is not in {:?}", planned.warnings);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_field_and_remedy() {
    let house = house_with(&[QUIET[0], ("trainer", "launcher.memory", "1GiB")]).await;
    let mut jobs = jobs(&house).await;
    store(&house, "one-class", 10, |_| 2);
    store(&house, "strange", 10, |index| index as i64);
    let cases: [(Change, ErrorCode, &str, &str); 11] = [
        (|it| it.model = "models/no".to_owned(), ErrorCode::ModelNotFound, "", "no"),
        (|it| it.model = "models/lab/versions/9".to_owned(), ErrorCode::ModelVersionNotFound, "", "9"),
        (|it| it.clean_dataset = "datasets/no".to_owned(), ErrorCode::DatasetNotFound, "", "datasets/no"),
        (|it| it.layer = "pool3".to_owned(), ErrorCode::InvalidField, "specification.layer", "\"pool_3\""),
        (|it| it.layer = "fc_1".to_owned(), ErrorCode::InvalidField, "specification.layer", "fc_1"),
        (|it| it.channel_count = 6, ErrorCode::InvalidField, "specification.channel_count", "6 channels"),
        (
            |it| {
                it.fine_tuning = FineTuning::Fst.into();
                it.clean_dataset = "datasets/partial".to_owned();
            },
            ErrorCode::InvalidField,
            "specification.fine_tuning",
            "2 of 4 classes",
        ),
        (
            |it| it.clean_dataset = "datasets/one-class".to_owned(),
            ErrorCode::DatasetInvalid,
            "specification.clean_dataset",
            "one class only",
        ),
        (
            |it| it.clean_dataset = "datasets/strange".to_owned(),
            ErrorCode::DatasetInvalid,
            "specification.clean_dataset",
            "0 to 9, the model's classes are 0 to 3",
        ),
        (
            |it| it.triggered[0].target = Some(4),
            ErrorCode::InvalidField,
            "specification.triggered[0].target",
            "is 4",
        ),
        (
            |it| {
                it.resources = Some(v1::WorkerResources { memory_bytes: 2 << 30, ..Default::default() });
            },
            ErrorCode::InvalidField,
            "specification.resources.memory_bytes",
            "launcher.memory",
        ),
    ];
    for (change, code, field, words) in cases {
        let mut specification = asked();
        change(&mut specification);
        let planned = plan(&mut jobs, specification.clone()).await;
        assert_refused(planned, code, words);
        let refused = assert_refused(create(&mut jobs, specification, "").await, code, words);
        let details = refused.get_error_details();
        let named = details.bad_request().map(|found| found.field_violations[0].field.clone());
        assert_eq!(named.unwrap_or_default(), field, "{refused:?}");
    }
    assert_eq!(count(&mut jobs).await, 0);
}

#[tokio::test]
async fn what_a_method_has_not_built_is_said() {
    let house = house_with(&[]).await;
    let mut jobs = jobs(&house).await;
    // Plain fine-tuning unlearns nothing.
    let fine_tuning = FineTuning::Ft.into();
    let unlearn_dataset = "datasets/worn".to_owned();
    let specification = v1::PruningSpecification { fine_tuning, unlearn_dataset, ..asked() };
    let name = create(&mut jobs, specification, "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    let fault = job.fault.clone().unwrap();
    assert_eq!((job.state(), fault.reason.as_str()), (State::Failed, "NOT_BUILT"), "{job:?}");
    assert_eq!(
        (job.attempts, job.version.as_str()),
        (1, ""),
        "it is not tried again, and nothing is made up"
    );
    assert!(job.gate.is_none());
    let said = report(&house, &name);
    assert!(said.contains("RESOURCE_NOT_FOUND") && said.contains("failed"), "{said}");
}

fn report(house: &House, name: &str) -> String {
    let output = house.command(&["job", "report", name, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}
