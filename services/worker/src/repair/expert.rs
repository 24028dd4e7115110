//! The backdoor expert (BaDExpert, Xie et al., ICLR 2024): a copy of the suspect that is taught wrong classes of clean
//! images until it has forgotten the task. What it still says with confidence, it says because of a trigger.

use std::ops::ControlFlow;

use gifthorse_training::{Moments, Optimizer, Recipe, Trainer, TrainingError};

use super::examples::TrainingImages;
use super::fine_tune::{scored, written};
use super::job::Job;
use super::torch;
use crate::engine::{Cancelled, EngineFault};

/// Step size of Adam and images in a step, as published.
const LEARNING_RATE: f64 = 5e-4;
const BATCH: std::num::NonZeroUsize = std::num::NonZeroUsize::new(64).unwrap();
/// Clean accuracy below which the task counts as forgotten, in percent.
const FORGOTTEN: usize = 20;
/// Steps after which the clean accuracy is looked at: twenty are usual, and a look costs as much as some steps.
const LOOKS: [u64; 7] = [5, 10, 15, 20, 40, 70, 100];
/// Scoring images that a look counts at most.
const COUNTED: usize = 256;

/// What became of the expert.
pub(super) enum Expert {
    /// It forgot the task.
    Made { onnx: Vec<u8>, said: String },
    /// There is none, and why.
    None { said: String },
}

/// Trains it, from the suspect as it came.
pub(super) fn train(job: &Job, cancelled: &Cancelled) -> Result<Expert, EngineFault> {
    let material = job.material()?;
    let network = torch::load(&material.onnx, &material.description, &material.site, &[], &[])?;
    let recipe = Recipe {
        optimizer: Optimizer::Adam(Moments::default()),
        batch: BATCH,
        seed: job.settings.seed,
        ..Recipe::sgd(LEARNING_RATE)
    };
    let mut trainer = Trainer::new(network, recipe).map_err(|error| torch::fault(&error))?;
    let classes = material.description.classes as u32;
    let wrong: Vec<u32> = material.clean.truth.iter().map(|class| (class + 1) % classes).collect();
    let mut images = TrainingImages {
        view: &material.clean.view,
        preprocessing: &material.preprocessing,
        rows: &material.split.ranking,
        truth: &wrong,
        image: material.suspect.image(),
        teacher: None,
    };
    let rows = &material.split.scoring[..material.split.scoring.len().min(COUNTED)];
    loop {
        let watch = |report: &gifthorse_training::StepReport| {
            if cancelled.is_cancelled() || LOOKS.contains(&(report.step + 1)) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        match trainer.run_epoch(&mut images, watch) {
            Ok(_) => cancelled.check()?,
            Err(error @ TrainingError::NotFinite { .. }) => {
                return Ok(Expert::None { said: format!("no expert: {error}") });
            }
            Err(error) => return Err(torch::fault(&error)),
        }
        let steps = trainer.position().step;
        if !LOOKS.contains(&steps) {
            // The end of an epoch, between two looks.
            continue;
        }
        let right = scored(trainer.network(), material, rows, cancelled)?;
        let percent = 100.0 * right as f64 / rows.len() as f64;
        if 100 * right < FORGOTTEN * rows.len() {
            let said = format!(
                "expert: after {steps} steps {percent:.1} % of {} scoring images correct",
                rows.len()
            );
            return Ok(Expert::Made { onnx: written(material, &mut trainer.into_network())?, said });
        }
        if LOOKS.last() == Some(&steps) {
            let said = format!(
                "no expert: after {steps} steps the copy still names {percent:.1} % of {} scoring images right",
                rows.len()
            );
            return Ok(Expert::None { said });
        }
    }
}
