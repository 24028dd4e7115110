//! What is refused, field by field. What needs a model is tested from the front door.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;

use super::*;
use crate::configuration::JobsConfiguration;

fn good() -> v1::PruningSpecification {
    v1::PruningSpecification {
        model: "models/lab3".to_owned(),
        clean_dataset: "datasets/clean".to_owned(),
        ..Default::default()
    }
}

const fn duration(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

#[test]
fn defaults_come_from_the_configuration() {
    let settings = JobsConfiguration::default();
    let checked = check(good(), &settings).unwrap();
    assert_eq!((checked.within, checked.max_retries), (0, 3));
    assert_eq!(checked.keep, 30 * 24 * 60 * 60 * 1000);
    let never = v1::PruningSpecification { max_retries: -1, deadline: Some(duration(2)), ..good() };
    let checked = check(never, &settings).unwrap();
    assert_eq!((checked.within, checked.max_retries), (2000, 0));
}

#[test]
fn every_value_outside_the_contract_is_named() {
    type Change = fn(&mut v1::PruningSpecification);
    let cases: [(&str, Change); 21] = [
        ("model", |it| it.model = "lab3".to_owned()),
        ("clean_dataset", |it| it.clean_dataset = String::new()),
        ("unlearn_dataset", |it| it.unlearn_dataset = "models/x".to_owned()),
        ("triggered[0].dataset", |it| it.triggered = vec![v1::TriggeredSet::default()]),
        ("triggered[1].dataset", |it| {
            it.triggered = vec![v1::TriggeredSet { dataset: "datasets/a".to_owned(), target: None }; 2];
        }),
        ("max_accuracy_drop", |it| it.max_accuracy_drop = 1.5),
        ("max_accuracy_drop", |it| it.max_accuracy_drop = f64::NAN),
        ("channel_count", |it| it.channel_count = -1),
        ("channel_count", |it| (it.channel_count, it.max_accuracy_drop) = (3, 0.1)),
        ("fine_tuning", |it| it.fine_tuning = 99),
        ("epochs", |it| it.epochs = -1),
        ("epochs", |it| it.epochs = 100_000),
        ("max_retries", |it| it.max_retries = -2),
        ("gate.confidence", |it| it.gate = Some(v1::GateLimits { confidence: 1.0, ..Default::default() })),
        ("gate.max_attack_success_rate", |it| {
            it.gate = Some(v1::GateLimits { max_attack_success_rate: -0.1, ..Default::default() });
        }),
        ("resources.gpus", |it| {
            it.resources = Some(v1::WorkerResources { gpus: -1, ..Default::default() });
        }),
        ("resources.memory_bytes", |it| {
            it.resources = Some(v1::WorkerResources { memory_bytes: -1, ..Default::default() });
        }),
        ("deadline", |it| it.deadline = Some(duration(0))),
        ("deadline", |it| it.deadline = Some(duration(i64::MAX))),
        ("keep", |it| it.keep = Some(duration(-1))),
        ("parameters[\"rho\"]", |it| it.parameters = [("rho".to_owned(), f64::INFINITY)].into()),
    ];
    for (field, change) in cases {
        let mut specification = good();
        change(&mut specification);
        let refused = check(specification, &JobsConfiguration::default()).expect_err(field);
        let full = format!("specification.{field}");
        assert_eq!(refused.field(), Some(full.clone()), "{refused}");
        assert_eq!(refused.code(), ErrorCode::InvalidField, "{refused}");
        assert!(refused.to_string().starts_with(&full), "{refused}");
    }
}

#[test]
fn images_are_halved_unless_all_score() {
    assert_eq!(plan::shares(149, false, true), (75, 74));
    assert_eq!(plan::shares(149, true, true), (149, 149));
    assert_eq!(plan::shares(149, false, false), (60, 89));
    assert_eq!(plan::shares(2, false, true), (1, 1));
}
