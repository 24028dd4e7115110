//! One job between its stages.

use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;

use super::material::Material;
use super::settings::{Method, Settings};
use super::state::State;
use super::weights::Weights;
use super::work::Work;
use super::{baseline, choose, export, fine_tune, gate, invert, prune, rank, torch};
use crate::engine::{Advance, Assignment, Cancelled, Engine, EngineFault, Extent, Outcome, Saved, Stage};

/// What all stages share.
pub(super) struct Job {
    pub(super) assignment: Assignment,
    pub(super) settings: Settings,
    /// Open once the job is loaded.
    material: Option<Material>,
    pub(super) state: State,
    pub(super) weights: Weights,
}

impl Job {
    /// What is worked on.
    pub(super) fn material(&self) -> Result<&Material, EngineFault> {
        self.material.as_ref().ok_or_else(|| {
            EngineFault::internal(ErrorCode::Internal, "a stage was entered before the job was loaded")
        })
    }

    /// What is worked on, what is asked for and what was found, to change the latter.
    pub(super) fn parts(&mut self) -> Result<(&Material, &Settings, &mut State, &mut Weights), EngineFault> {
        let missing =
            || EngineFault::internal(ErrorCode::Internal, "a stage was entered before the job was loaded");
        let material = self.material.as_ref().ok_or_else(missing)?;
        Ok((material, &self.settings, &mut self.state, &mut self.weights))
    }
}

/// A job and the stage that is under way.
pub(super) struct RepairJob {
    job: Job,
    work: Box<dyn Work>,
}

impl RepairJob {
    pub(super) fn new(assignment: Assignment) -> Result<Self, EngineFault> {
        let settings = Settings::read(&assignment.specification)?;
        let (state, weights) = (State::default(), Weights::default());
        let job = Job { assignment, settings, material: None, state, weights };
        Ok(Self { job, work: Box::new(Loading) })
    }
}

impl Engine for RepairJob {
    fn restore(&mut self, saved: &Saved) -> Result<(), EngineFault> {
        let state = State::read(&saved.folder)?;
        if state.split.as_ref() != Some(&self.job.material()?.split) {
            let message = "the checkpoint is of other images: the clean set was divided differently then";
            return Err(EngineFault::internal(ErrorCode::RecordInvalid, message));
        }
        self.job.state = state;
        self.job.weights = Weights::read(&saved.folder)?;
        Ok(())
    }

    fn enter(&mut self, stage: Stage) -> Result<Extent, EngineFault> {
        self.work = match stage {
            Stage::Load => Box::new(Loading),
            Stage::Baseline => Box::new(baseline::Baseline),
            Stage::Rank => Box::new(rank::Rank::begin(self.job.material()?)),
            Stage::Prune => Box::new(prune::Prune::begin(&self.job)?),
            Stage::Choose => Box::new(choose::Choose),
            Stage::FineTune if self.job.settings.method == Method::Invert => {
                Box::new(invert::Invert::default())
            }
            Stage::FineTune => Box::new(fine_tune::FineTune::begin(&mut self.job)?),
            Stage::Gate => Box::new(gate::Judging::begin(&self.job)?),
            Stage::Export => Box::new(export::Export::default()),
        };
        self.work.extent(&self.job)
    }

    fn advance(&mut self, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        self.work.advance(&mut self.job, cancelled)
    }

    fn save(&mut self, folder: &Path) -> Result<(), EngineFault> {
        self.job.state.write(folder)?;
        self.job.weights.write(folder)?;
        self.work.save(folder)
    }

    fn finish(&mut self, folder: &Path) -> Result<Outcome, EngineFault> {
        export::finish(&self.job, folder)
    }
}

/// Opening everything.
struct Loading;

impl Work for Loading {
    fn extent(&self, _: &Job) -> Result<Extent, EngineFault> {
        Ok(Extent { done: 0, total: 1, unit: "networks" })
    }

    fn advance(&mut self, job: &mut Job, _: &Cancelled) -> Result<Advance, EngineFault> {
        torch::use_threads(job.settings.threads);
        let material = Material::open(&job.assignment, &job.settings)?;
        let split = &material.split;
        let mut log = vec![
            format!("clean images: {}", material.coverage),
            format!(
                "{} rank and train, {} judge, {} of these of classes that train none",
                split.ranking.len(),
                split.scoring.len(),
                split.unseen.len()
            ),
            format!("layer {:?}, {} channels", material.site.cut.layer, material.site.cut.channels),
        ];
        if let Some(bypass) = &material.site.bypass {
            log.push(format!(
                "the image reaches the output without this layer, by {bypass:?}: a backdoor may as well"
            ));
        }
        job.state.split = Some(split.clone());
        job.material = Some(material);
        Ok(Advance { done: 1, message: Some(log.join("; ")), log, ..Advance::default() })
    }
}
