//! Policies for people.

use std::fmt;

use gifthorse_api::v1;
use gifthorse_api::v1::policy::{Combination, Failure, ProtocolAnswer};

use crate::output::facts::Facts;
use crate::output::number::number;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::short;

/// Facts, and the detectors that decide.
pub(in crate::commands) struct Shown {
    facts: Facts,
    detectors: Table,
}

impl Shown {
    /// The form of a policy.
    pub(in crate::commands) fn new(policy: &v1::Policy) -> Self {
        Self { facts: facts(policy), detectors: detectors(policy) }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.facts, self.detectors)
    }
}

fn facts(policy: &v1::Policy) -> Facts {
    let mut facts = Facts::new();
    facts.add("policy", short(&policy.name));
    facts.add("model", short(&policy.model));
    facts.add("combination", combination(policy));
    facts.add("alpha", policy.alpha);
    facts.add("rule", rule(policy));
    facts.add("detector down", failure(policy));
    facts.add(
        "protocol answer",
        match policy.protocol_answer() {
            ProtocolAnswer::RefuseRequest => "the request is refused",
            ProtocolAnswer::Unspecified | ProtocolAnswer::MassOnIndexM => "all mass on index M",
        },
    );
    facts.add("created", time(policy.create_time.as_ref()));
    facts
}

fn detectors(policy: &v1::Policy) -> Table {
    let mut table = Table::new(&[
        ("DETECTOR", Align::Left),
        ("CALIBRATION", Align::Left),
        ("WEIGHT", Align::Right),
        ("THRESHOLD", Align::Right),
        ("EARLY REJECTION", Align::Left),
    ]);
    for detector in &policy.detectors {
        table.row([
            detector.detector.clone(),
            short(&detector.calibration).to_string(),
            detector.weight.to_string(),
            number(detector.threshold),
            if detector.early_rejection { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// The versions of a policy, one a row.
pub(super) fn history(policies: &[v1::Policy]) -> Table {
    let mut table = Table::new(&[
        ("VERSION", Align::Left),
        ("COMBINATION", Align::Left),
        ("ALPHA", Align::Right),
        ("RULE", Align::Left),
        ("DETECTORS", Align::Left),
        ("DETECTOR DOWN", Align::Left),
        ("CREATED", Align::Left),
    ]);
    for policy in policies {
        let detectors: Vec<&str> = policy.detectors.iter().map(|one| one.detector.as_str()).collect();
        table.row([
            short(&policy.name).to_string(),
            combination(policy).to_owned(),
            policy.alpha.to_string(),
            rule(policy),
            detectors.join(", "),
            failure(policy).to_owned(),
            time(policy.create_time.as_ref()),
        ]);
    }
    table
}

fn combination(policy: &v1::Policy) -> &'static str {
    match policy.combination() {
        Combination::Unspecified | Combination::Fused => "fused",
        Combination::WeightedMinP => "min-p",
        Combination::AnyDisagreement => "any disagreement",
    }
}

fn rule(policy: &v1::Policy) -> String {
    if policy.confidence > 0.0 {
        format!("with confidence {}", policy.confidence)
    } else {
        "on average".to_owned()
    }
}

fn failure(policy: &v1::Policy) -> &'static str {
    match policy.failure() {
        Failure::FailOpen => "fail open",
        Failure::Unspecified | Failure::FailClosed => "fail closed",
    }
}
