//! What comes out of a job: the repaired network as a version of its model, the report, and the numbers that the
//! job itself shows.

use std::collections::BTreeMap;
use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::repair_gate::Result as GateResult;
use gifthorse_defence::pruning::{GateAnswer, GateVerdict};
use gifthorse_store::{
    EXPERT_FILE, MODEL_FILE, ModelSource, ParentVersion, Provenance, RepairAnswer, RepairGate, StoreError,
};

use super::expert::{self, Expert};
use super::gate::{REPAIRED, attack_success_rate, judging_rows, reasons, repaired};
use super::job::Job;
use super::state::Answers;
use super::work::Work;
use crate::engine::{Advance, Cancelled, EngineFault, Extent, NewVersion, Outcome};

/// The expert is trained here, where one is wanted; all else is written by [`finish`].
#[derive(Default)]
pub(super) struct Export {
    done: u64,
}

/// Networks that are written: the repaired one, and the expert.
fn networks(job: &Job) -> u64 {
    1 + u64::from(job.settings.expert && job.state.found.given_up.is_none())
}

impl Work for Export {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        Ok(Extent { done: 0, total: networks(job), unit: "networks" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        self.done += 1;
        let mut advance = Advance { done: self.done, ..Advance::default() };
        if self.done < networks(job) {
            let said = match expert::train(job, cancelled)? {
                Expert::Made { onnx, said } => {
                    job.weights.expert = Some(onnx);
                    said
                }
                Expert::None { said } => said,
            };
            advance.log.push(said);
        }
        Ok(advance)
    }
}

/// Writes everything into a folder.
pub(super) fn finish(job: &Job, folder: &Path) -> Result<Outcome, EngineFault> {
    let (material, state) = (job.material()?, &job.state);
    let missing =
        || EngineFault::internal(ErrorCode::Internal, "a job was finished before the gate had judged it");
    let verdict = state.verdict.as_ref().ok_or_else(missing)?;
    let after = state.after.get(REPAIRED).ok_or_else(missing)?;
    let (rows, _) = judging_rows(material, &job.settings);
    let accuracy = |answers: &Answers| {
        let right =
            rows.iter().filter(|row| answers.clean.get(**row) == material.clean.truth.get(**row)).count();
        right as f64 / rows.len() as f64
    };
    let onnx = folder.join(MODEL_FILE);
    std::fs::write(&onnx, repaired(job)?).map_err(|error| EngineFault::file("write", &onnx, &error))?;
    let named = |name: &str| name.parse().map_err(|error| EngineFault::of::<StoreError>(&error));
    let mut files = vec![(named(MODEL_FILE)?, onnx)];
    if let Some(bytes) = &job.weights.expert {
        let path = folder.join(EXPERT_FILE);
        std::fs::write(&path, bytes).map_err(|error| EngineFault::file("write", &path, &error))?;
        files.push((named(EXPERT_FILE)?, path));
    }
    Ok(Outcome {
        gate: v1::RepairGate { result: result(verdict.answer).into(), reason: reasons(verdict) },
        layer: material.site.cut.layer.clone(),
        pruned_channels: state.choice.as_ref().map_or(0, |choice| choice.channels.len() as u32),
        clean_accuracy_before: accuracy(&state.before),
        clean_accuracy_after: accuracy(after),
        attack_success_rate_before: attack_success(job, &state.before)?,
        attack_success_rate_after: attack_success(job, after)?,
        // Nothing new comes of a repair that was given up.
        version: state
            .found
            .given_up
            .is_none()
            .then(|| NewVersion { files, specification: Box::new(specification(job, verdict)) }),
        report: super::record::write(job, &folder.join("report"))?,
    })
}

const fn result(answer: GateAnswer) -> GateResult {
    match answer {
        GateAnswer::Repaired => GateResult::Repaired,
        GateAnswer::NoEvidenceLeft => GateResult::NoEvidenceLeft,
        GateAnswer::NotRepaired => GateResult::NotRepaired,
        GateAnswer::NothingToRepair => GateResult::NothingToRepair,
    }
}

/// The share of each triggered set that reaches the attacker's class, where that is known; images that are of this class
/// anyway do not count.
fn attack_success(job: &Job, answers: &Answers) -> Result<BTreeMap<String, f64>, EngineFault> {
    let sets = job.material()?.triggered.iter().zip(&job.state.targets).zip(&answers.triggered);
    let rates = sets.filter_map(|((set, target), answers)| {
        let target = (*target)?;
        Some((set.images.name.clone(), attack_success_rate(&set.images.truth, target, answers)))
    });
    Ok(rates.collect())
}

/// The parent's, with where it came from and what the gate said: pruning and tuning change no shape and no name.
fn specification(job: &Job, verdict: &GateVerdict) -> gifthorse_store::ModelSpecification {
    let parent = &job.assignment.model.record;
    let mut specification = parent.specification.clone();
    specification.provenance = Provenance {
        source: ModelSource::PruningJob,
        parent: Some(ParentVersion { model: parent.model.clone(), version: parent.version }),
        pruning_job: Some(job.assignment.job.clone()),
        ..specification.provenance
    };
    let answer = match verdict.answer {
        GateAnswer::Repaired => RepairAnswer::Repaired,
        GateAnswer::NoEvidenceLeft => RepairAnswer::NoEvidenceLeft,
        GateAnswer::NotRepaired => RepairAnswer::NotRepaired,
        GateAnswer::NothingToRepair => RepairAnswer::NothingToRepair,
    };
    specification.repair_gate = Some(RepairGate { answer, reason: reasons(verdict) });
    specification
}
