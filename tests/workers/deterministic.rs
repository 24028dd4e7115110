//! A worker for the tests of jobs: its engine does no mathematics, but everything around it in earnest.
//!
//! Every unit of every stage hashes what came before, so that the network it exports (the one it was given, with
//! the hash in its description) tells whether any unit was left out, done twice or done from another state.
//! The job's own parameters set the pace and the accidents:
//!
//! * `test.units`: units of each stage, 6 unless set; every second one is saved;
//! * `test.unit_ms`: what a unit takes, 1 unless set;
//! * `test.fail`, `test.panic`, `test.hoard`: in the stage of this number (1 is baseline) the engine fails for
//!   good, panics, or takes memory until there is none;
//! * `test.gate`: what the gate says, by its number in the contract, 1 (repaired) unless set.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use gifthorse_api::v1;
use gifthorse_store::{ModelSource, ParentVersion, Provenance};
use gifthorse_worker::engine::{
    Advance, Assignment, Cancelled, Engine, EngineFault, Engines, Extent, NewVersion, Outcome, Saved, Stage,
};
use sha2::{Digest, Sha256};

struct Deterministic;

impl Engines for Deterministic {
    fn open(&self, assignment: &Assignment) -> Result<Box<dyn Engine>, EngineFault> {
        Ok(Box::new(Chain { assignment: assignment.clone(), state: [0; 32], stage: Stage::Load, done: 0 }))
    }
}

struct Chain {
    assignment: Assignment,
    state: [u8; 32],
    stage: Stage,
    done: u64,
}

impl Chain {
    fn parameter(&self, name: &str, default: f64) -> f64 {
        self.assignment.specification.parameters.get(name).copied().unwrap_or(default)
    }

    fn units(&self) -> u64 {
        self.parameter("test.units", 6.0) as u64
    }

    fn has_accident(&self, name: &str) -> bool {
        let number = Stage::ALL.iter().position(|stage| *stage == self.stage).unwrap_or_default();
        self.done == 1 && (self.parameter(name, -1.0) - number as f64).abs() < 0.5
    }
}

fn unreadable(what: &str) -> EngineFault {
    EngineFault::internal(gifthorse_api::catalogue::ErrorCode::Internal, format!("{what} cannot be read"))
}

impl Engine for Chain {
    fn restore(&mut self, saved: &Saved) -> Result<(), EngineFault> {
        let path = saved.folder.join("state");
        let text = std::fs::read(&path).map_err(|error| EngineFault::file("read", &path, &error))?;
        self.state = text.try_into().map_err(|_| unreadable("the state"))?;
        (self.stage, self.done) = (saved.stage, saved.done);
        Ok(())
    }

    fn enter(&mut self, stage: Stage) -> Result<Extent, EngineFault> {
        if stage == Stage::Load {
            let onnx = &self.assignment.model.onnx;
            let network = std::fs::read(onnx).map_err(|error| EngineFault::file("read", onnx, &error))?;
            self.state = Sha256::digest(network).into();
        }
        if self.stage != stage {
            (self.stage, self.done) = (stage, 0);
        }
        let total = if stage == Stage::Load { 1 } else { self.units() };
        Ok(Extent { done: self.done, total, unit: "units" })
    }

    fn advance(&mut self, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        cancelled.check()?;
        std::thread::sleep(Duration::from_secs_f64(self.parameter("test.unit_ms", 1.0) / 1000.0));
        if self.has_accident("test.fail") {
            return Err(EngineFault::numerical("the loss is NaN at step 1"));
        }
        assert!(!self.has_accident("test.panic"), "on purpose");
        if self.has_accident("test.hoard") {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 64 << 20]);
            }
        }
        let mut hasher = Sha256::new();
        hasher.update(self.state);
        hasher.update(self.stage.name());
        hasher.update(self.done.to_le_bytes());
        hasher.update(self.assignment.specification.seed.to_le_bytes());
        if self.stage != Stage::Load {
            self.state = hasher.finalize().into();
        }
        self.done += 1;
        let metrics = BTreeMap::from([("done".to_owned(), self.done as f64)]);
        let log = vec![format!("{} {}", self.stage.name(), self.done)];
        Ok(Advance { done: self.done, metrics, log, save: self.done.is_multiple_of(2), message: None })
    }

    fn save(&mut self, folder: &Path) -> Result<(), EngineFault> {
        let path = folder.join("state");
        std::fs::write(&path, self.state).map_err(|error| EngineFault::file("write", &path, &error))
    }

    fn finish(&mut self, folder: &Path) -> Result<Outcome, EngineFault> {
        let state = hex::encode(self.state);
        let onnx = folder.join("model.onnx");
        let mut network = std::fs::read(&self.assignment.model.onnx)
            .map_err(|error| EngineFault::file("read", &self.assignment.model.onnx, &error))?;
        // Field 6 of an ONNX model is its description; the last one in a file counts.
        network.extend([0x32, 64]);
        network.extend(state.as_bytes());
        std::fs::write(&onnx, network).map_err(|error| EngineFault::file("write", &onnx, &error))?;
        let mut report = Vec::new();
        for (name, text) in [("report.json", format!("{{\"state\":\"{state}\"}}")), ("report.html", state)] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| EngineFault::file("write", &path, &error))?;
            report.push((name.parse().map_err(|_| unreadable(name))?, path));
        }
        let parent = &self.assignment.model.record;
        let mut specification = parent.specification.clone();
        specification.provenance = Provenance {
            source: ModelSource::PruningJob,
            parent: Some(ParentVersion { model: parent.model.clone(), version: parent.version }),
            pruning_job: Some(self.assignment.job.clone()),
            ..specification.provenance
        };
        let rates = |rate: f64| {
            let sets = self.assignment.specification.triggered.iter();
            sets.map(|set| (set.dataset.clone(), rate)).collect::<BTreeMap<_, _>>()
        };
        let files = vec![("model.onnx".parse().map_err(|_| unreadable("model.onnx"))?, onnx)];
        Ok(Outcome {
            gate: v1::RepairGate {
                result: self.parameter("test.gate", 1.0) as i32,
                reason: "as the test says".to_owned(),
            },
            layer: self.assignment.specification.layer.clone(),
            pruned_channels: 3,
            clean_accuracy_before: 0.99,
            clean_accuracy_after: 0.97,
            attack_success_rate_before: rates(1.0),
            attack_success_rate_after: rates(0.01),
            version: Some(NewVersion { files, specification: Box::new(specification) }),
            report,
        })
    }
}

fn main() -> ExitCode {
    let code = gifthorse_worker::run(Box::new(Deterministic));
    let _ = std::io::stderr().flush();
    code
}
