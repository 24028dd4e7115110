//! Jobs that are followed.

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;

use super::support::{asked_with, create, ended, events, house, jobs, versions_of};
use crate::support::calls::assert_refused;

const STAGES: [&str; 8] = ["load", "baseline", "rank", "prune", "choose", "fine_tune", "gate", "export"];

#[tokio::test]
async fn a_job_is_followed_through_its_stages_and_resumed_by_number() {
    let house = house().await;
    let mut jobs = jobs(&house).await;
    let mut specification = asked_with(&[("test.unit_ms", 5.0)]);
    specification.publish = true;
    let name = create(&mut jobs, specification, "").await.unwrap().name;

    // One watches from the beginning and is cut off after some events; it goes on where it was.
    let request = v1::WatchPruningJobRequest { name: name.clone(), after_sequence: 0 };
    let mut stream = jobs.watch_pruning_job(request).await.unwrap().into_inner();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(stream.message().await.unwrap().expect("the job goes on"));
    }
    drop(stream);
    seen.extend(events(&mut jobs, &name, seen[4].sequence).await);
    let numbers: Vec<i64> = seen.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "none is missed, none comes twice");
    let mut stages: Vec<&str> =
        seen.iter().filter_map(|event| Some(event.progress.as_ref()?.stage.as_str())).collect();
    stages.dedup();
    assert_eq!(stages, STAGES);
    assert!(seen.iter().any(|event| event.metrics.contains_key("done")));
    let ends: Vec<i64> =
        seen.iter().filter(|event| event.state() == State::Succeeded).map(|event| event.sequence).collect();

    let job = ended(&mut jobs, &name).await;
    assert_eq!((job.state(), job.attempts, job.pruned_channels), (State::Succeeded, 1, 3), "{job:?}");
    assert!(!ends.is_empty());
    assert!(events(&mut jobs, &name, job.last_sequence).await.is_empty());
    let made = versions_of(&mut house.models().await, &name).await;
    assert_eq!(made.iter().map(|version| version.name.as_str()).collect::<Vec<_>>(), [job.version.as_str()]);
    assert_eq!(job.version, "models/lab/versions/2");

    // The repaired version answers now, and what it was made of is its suspect.
    let mut waited = 0;
    let model = loop {
        let request = v1::GetModelRequest { name: "models/lab".to_owned() };
        let model = house.models().await.get_model(request).await.unwrap().into_inner();
        if model.promoted_version == job.version || waited > 500 {
            break model;
        }
        waited += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(model.promoted_version, job.version);
    assert_eq!(model.suspect_version, "models/lab/versions/1");

    let log = v1::GetPruningLogRequest { name: name.clone(), lines: 3 };
    let log = jobs.get_pruning_log(log).await.unwrap().into_inner();
    assert!(log.truncated && log.lines.len() == 3, "{log:?}");
    let wrong = v1::WatchPruningJobRequest { name, after_sequence: -1 };
    let refused = jobs.watch_pruning_job(wrong).await.map(|_| ());
    assert_refused(refused, gifthorse_api::catalogue::ErrorCode::InvalidField, "after_sequence");
}

#[tokio::test]
async fn a_gate_that_does_not_hold_promotes_nothing() {
    let house = house().await;
    let mut jobs = jobs(&house).await;
    let not_repaired = f64::from(i32::from(v1::repair_gate::Result::NotRepaired));
    let mut specification = asked_with(&[("test.gate", not_repaired)]);
    specification.publish = true;
    let name = create(&mut jobs, specification, "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    assert_eq!(job.state(), State::Succeeded);
    assert_eq!(job.gate.unwrap().result(), v1::repair_gate::Result::NotRepaired);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let request = v1::GetModelRequest { name: "models/lab".to_owned() };
    let model = house.models().await.get_model(request).await.unwrap().into_inner();
    assert_eq!(model.promoted_version, "models/lab/versions/1");
}
