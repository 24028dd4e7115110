//! A job for people.

use std::collections::BTreeSet;
use std::fmt;

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::repair_gate::Result as Gate;

use crate::output::facts::Facts;
use crate::output::number::percent;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::short;

/// The state of a job.
pub(in crate::commands) fn state(job: &v1::PruningJob) -> &'static str {
    match job.state() {
        State::Unspecified => "in no state",
        State::Queued => "queued",
        State::Running => "running",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
        State::Cancelling => "cancelling",
    }
}

/// What the gate said; empty when there was none.
pub(in crate::commands) fn gate(job: &v1::PruningJob) -> &'static str {
    match job.gate.as_ref().map(v1::RepairGate::result) {
        None | Some(Gate::Unspecified) => "",
        Some(Gate::Repaired) => "REPAIRED",
        Some(Gate::NoEvidenceLeft) => "NO_EVIDENCE_LEFT",
        Some(Gate::NotRepaired) => "NOT_REPAIRED",
        Some(Gate::NothingToRepair) => "NOTHING_TO_REPAIR",
    }
}

/// So many seconds: `40 s`, `12 min`, `3 h 20 min`.
pub(in crate::commands) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Facts, and what was measured before and after.
pub(in crate::commands) struct Shown {
    facts: Facts,
    measured: Option<Table>,
}

impl Shown {
    /// The form of a job.
    pub(in crate::commands) fn new(job: &v1::PruningJob) -> Self {
        let measured = (job.state() == State::Succeeded).then(|| measured(job));
        Self { facts: facts(job), measured }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.facts)?;
        self.measured.as_ref().map_or(Ok(()), |table| write!(formatter, "\n{table}"))
    }
}

fn facts(job: &v1::PruningJob) -> Facts {
    let specification = job.specification.clone().unwrap_or_default();
    let mut facts = Facts::new();
    facts.add("job", short(&job.name));
    facts.add("model", short(&specification.model));
    facts.add("clean images", short(&specification.clean_dataset));
    let layer = if job.layer.is_empty() { &specification.layer } else { &job.layer };
    facts.add("layer", layer);
    facts.add("state", state(job));
    if !job.stage.is_empty() && job.state() != State::Succeeded {
        let done = if job.total > 0 { format!(", {} of {}", job.done, job.total) } else { String::new() };
        facts.add("stage", format!("{}{done}", job.stage));
    }
    facts.add("attempts", job.attempts);
    if let Some(fault) = &job.fault {
        facts.add("fault", format!("{} [{}]", fault.message, fault.reason));
    }
    if let Some(found) = &job.gate {
        let reason = if found.reason.is_empty() { String::new() } else { format!(": {}", found.reason) };
        facts.add("gate", format!("{}{reason}", gate(job)));
    }
    facts.add("version", short(&job.version));
    if job.state() == State::Succeeded {
        facts.add("pruned channels", job.pruned_channels);
    }
    facts.add("queued", time(job.create_time.as_ref()));
    facts.add("started", time(job.start_time.as_ref()));
    facts.add("ended", time(job.end_time.as_ref()));
    facts
}

fn measured(job: &v1::PruningJob) -> Table {
    let mut table =
        Table::new(&[("MEASURED", Align::Left), ("BEFORE", Align::Right), ("AFTER", Align::Right)]);
    table.row([
        "accuracy on clean images".to_owned(),
        percent(job.clean_accuracy_before),
        percent(job.clean_accuracy_after),
    ]);
    let sets: BTreeSet<&String> =
        job.attack_success_rate_before.keys().chain(job.attack_success_rate_after.keys()).collect();
    for set in sets {
        let rate = |rates: &std::collections::HashMap<String, f64>| {
            percent(rates.get(set).copied().unwrap_or(f64::NAN))
        };
        table.row([
            format!("attack success rate, {}", short(set)),
            rate(&job.attack_success_rate_before),
            rate(&job.attack_success_rate_after),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_job_shows_what_it_changed() {
        let job = v1::PruningJob {
            name: "pruningJobs/job-1".to_owned(),
            state: State::Succeeded.into(),
            gate: Some(v1::RepairGate { result: Gate::Repaired.into(), reason: "all limits met".to_owned() }),
            version: "models/lab3/versions/2".to_owned(),
            clean_accuracy_before: 0.99,
            clean_accuracy_after: 0.97,
            attack_success_rate_before: [("datasets/worn".to_owned(), 1.0)].into(),
            ..Default::default()
        };
        let text = Shown::new(&job).to_string();
        for part in ["gate", "REPAIRED: all limits met", "lab3@2", "99.00 %", "97.00 %", "worn", "100.00 %"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn spans_are_rounded_for_people() {
        assert_eq!([span(40), span(750), span(12_000)], ["40 s", "12 min", "3 h 20 min"]);
    }
}
