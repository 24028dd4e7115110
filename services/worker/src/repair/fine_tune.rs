//! Tunes the pruned network with one candidate after the other until one is taken, then the unpruned network with
//! the same settings, to compare with. Where none can be taken the pruned network stays as it is.
//!
//! The network starts from the pruned file, so that its pruned channels are zero by their weights, and is masked
//! while it is trained, so that they stay so. Where the clean images do not show every class, the output layer is
//! held and part of each target is what the suspect answers: classes without images are forgotten otherwise
//! (half of them within ten epochs, measured on a face network with 37 of 1283 classes shown).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_network::surgery::prune_channels;
use gifthorse_training::{Checkpoint, Network, Trainer, TrainingError};
use ndarray::{ArrayView4, Axis};

use super::candidates::{Candidate, candidates, is_lost, is_within};
use super::examples::TrainingImages;
use super::job::Job;
use super::material::Material;
use super::settings::Settings;
use super::state::{EpochRecord, State, TrainingRecord, TrainingRole, correct};
use super::torch;
use super::weights::TRAINING;
use super::work::Work;
use crate::engine::{Advance, Cancelled, EngineFault, Extent};
use crate::pruning::{ImageSource as _, RunOptions, SweepError, WholeNetwork};

/// Share of each target that the suspect's answers make up where the images do not show every class.
const DISTILLATION: f64 = 0.5;
/// How far logits of the written file may be from those of the trained network, beside their size.
const TOLERANCE: f32 = 1e-3;

/// The trainings of a job.
pub(super) struct FineTune {
    candidates: Vec<Candidate>,
    /// The one under way.
    trainer: Option<Trainer>,
}

impl FineTune {
    pub(super) fn begin(job: &mut Job) -> Result<Self, EngineFault> {
        let candidates = candidates(&job.settings, job.material()?.head.as_ref());
        let put_down = job.weights.training.take();
        let trainer = match (put_down, job.state.training.clone()) {
            (Some(bytes), Some(record)) => {
                let fault = |error: TrainingError| torch::fault(&error);
                let recipe = candidates.get(record.candidate).ok_or_else(not_planned)?.recipe.clone();
                let checkpoint = Checkpoint::from_bytes(&bytes).map_err(fault)?;
                let network = untrained(job.material()?, &job.state, record.role)?;
                Some(Trainer::resume(network, recipe, &checkpoint).map_err(fault)?)
            }
            _ => None,
        };
        Ok(Self { candidates, trainer })
    }

    /// Trainings at most: the candidates, and the one to compare with.
    fn trainings(&self) -> u64 {
        if self.candidates.is_empty() { 0 } else { self.candidates.len() as u64 + 1 }
    }

    /// Epochs that are done, those of candidates that need not be tried any more among them.
    fn done(&self, job: &Job) -> Result<u64, EngineFault> {
        let epochs = u64::from(job.settings.epochs);
        let begun = job.state.training.as_ref().map_or(0, |training| training.epochs.len() as u64);
        Ok(match self.next(job)? {
            None => self.trainings() * epochs,
            Some((TrainingRole::Candidate, candidate)) => candidate as u64 * epochs + begun,
            Some((TrainingRole::TunedOnly, _)) => self.candidates.len() as u64 * epochs + begun,
        })
    }

    /// The training that is under way or comes next; none when all is done.
    fn next(&self, job: &Job) -> Result<Option<(TrainingRole, usize)>, EngineFault> {
        let trainings = &job.state.trainings;
        Ok(match taken(&job.state, job.material()?, &job.settings) {
            None if trainings.len() < self.candidates.len() => {
                Some((TrainingRole::Candidate, trainings.len()))
            }
            Some(taken) if trainings.iter().all(|one| one.role == TrainingRole::Candidate) => {
                Some((TrainingRole::TunedOnly, taken))
            }
            _ => None,
        })
    }

    /// Begins the next training.
    fn begin_next(&mut self, job: &mut Job) -> Result<(), EngineFault> {
        let (role, candidate) = self.next(job)?.ok_or_else(not_planned)?;
        let network = untrained(job.material()?, &job.state, role)?;
        let recipe = self.candidates.get(candidate).ok_or_else(not_planned)?.recipe.clone();
        self.trainer = Some(Trainer::new(network, recipe).map_err(|error| torch::fault(&error))?);
        job.state.training = Some(TrainingRecord { role, candidate, epochs: Vec::new(), error: None });
        Ok(())
    }

    /// A training is over: what is taken is written, and compared with what the engine makes of it.
    fn end(&mut self, job: &mut Job) -> Result<(), EngineFault> {
        let Some(record) = job.state.training.take() else { return Ok(()) };
        let trainer = self.trainer.take();
        let (material, settings, state, weights) = job.parts()?;
        let (role, candidate) = (record.role, record.candidate);
        let failed = record.error.is_some();
        state.trainings.push(record);
        let Some(trainer) = trainer.filter(|_| !failed) else { return Ok(()) };
        match role {
            TrainingRole::TunedOnly => {
                weights.tuned_only = Some(written(material, &mut trainer.into_network())?);
            }
            TrainingRole::Candidate if taken(state, material, settings) == Some(candidate) => {
                weights.best = Some(written(material, &mut trainer.into_network())?);
            }
            TrainingRole::Candidate => {}
        }
        Ok(())
    }
}

/// The candidate that is taken, of those that have ended: the first within the limit, or the only one, which
/// somebody asked for.
pub(super) fn taken(state: &State, material: &Material, settings: &Settings) -> Option<usize> {
    let (before, images) = before(state, material);
    let asked_for = candidates(settings, material.head.as_ref()).len() == 1;
    let good = |one: &&TrainingRecord| {
        let correct = one.epochs.last().map_or(0, |epoch| epoch.correct);
        one.role == TrainingRole::Candidate
            && one.error.is_none()
            && (asked_for || is_within(correct, before, images, settings.largest_drop))
    };
    state.trainings.iter().find(good).map(|one| one.candidate)
}

/// Scoring images that the suspect answers correctly, and all of them.
fn before(state: &State, material: &Material) -> (usize, usize) {
    let scoring = &material.split.scoring;
    let right = |row: &&usize| state.before.clean.get(**row) == material.clean.truth.get(**row);
    (scoring.iter().filter(right).count(), scoring.len())
}

/// The suspect with the chosen channels at zero.
pub(super) fn pruned(material: &Material, state: &State) -> Result<Vec<u8>, EngineFault> {
    let channels = state.choice.as_ref().map_or(&[][..], |choice| &choice.channels);
    let pruned = prune_channels(&material.onnx, &material.description, &material.site, channels);
    Ok(pruned.map_err(|error| EngineFault::of(&error))?.onnx)
}

fn untrained(material: &Material, state: &State, role: TrainingRole) -> Result<Network, EngineFault> {
    let held = match &material.head {
        Some(head) if !material.coverage.is_full() => head.tensors.as_slice(),
        _ => &[],
    };
    match role {
        TrainingRole::Candidate => {
            let channels = state.choice.as_ref().map_or(&[][..], |choice| &choice.channels);
            let onnx = pruned(material, state)?;
            torch::load(&onnx, &material.description, &material.site, channels, held)
        }
        TrainingRole::TunedOnly => {
            torch::load(&material.onnx, &material.description, &material.site, &[], held)
        }
    }
}

fn not_planned() -> EngineFault {
    EngineFault::internal(ErrorCode::Internal, "a training was entered that is not planned")
}

/// The file of a trained network, after a look at whether the engine that will serve it answers the same.
pub(super) fn written(material: &Material, network: &mut Network) -> Result<Vec<u8>, EngineFault> {
    let onnx = torch::write(network)?;
    let sweep = |error: SweepError| EngineFault::of(&error);
    let served = WholeNetwork::load(
        &material.engine,
        "the trained network",
        &onnx,
        &material.description,
        RunOptions::default(),
    )
    .map_err(sweep)?;
    let images = material.clean.rows(&material.preprocessing, &material.split.scoring)?;
    let values = images.read(0..images.count().min(served.batch_rows())).map_err(sweep)?;
    let trained = logits(network, material, &values)?;
    let served = served.logits(values).map_err(sweep)?;
    let size = trained.iter().copied().map(f32::abs).fold(1.0, f32::max);
    let apart = trained.iter().zip(&served).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    if apart <= TOLERANCE * size {
        return Ok(onnx);
    }
    let message = format!(
        "the trained network answers logits of up to {size}, the file written of it others by up to {apart}: it is \
         not published"
    );
    Err(EngineFault::internal(ErrorCode::EngineFailed, message))
}

fn logits(network: &Network, material: &Material, values: &[f32]) -> Result<Vec<f32>, EngineFault> {
    let [one, two, three] = material.suspect.image();
    let count = values.len() / (one * two * three);
    let images = ArrayView4::from_shape((count, one, two, three), values)
        .map_err(|error| EngineFault::internal(ErrorCode::Internal, error.to_string()))?;
    let logits = network.logits(images.into_dyn()).map_err(|error| torch::fault(&error))?;
    Ok(logits.iter().copied().collect())
}

/// Clean images of these rows that a network in training answers correctly.
pub(super) fn scored(
    network: &Network,
    material: &Material,
    scoring: &[usize],
    cancelled: &Cancelled,
) -> Result<usize, EngineFault> {
    let sweep = |error: SweepError| EngineFault::of(&error);
    let images = material.clean.rows(&material.preprocessing, scoring)?;
    let classes = material.description.classes as usize;
    let mut right = 0;
    for start in (0..scoring.len()).step_by(material.suspect.batch_rows()) {
        cancelled.check()?;
        let end = scoring.len().min(start + material.suspect.batch_rows());
        let logits = logits(network, material, &images.read(start..end).map_err(sweep)?)?;
        let answers: Vec<u32> = logits.chunks_exact(classes).map(highest).collect();
        let truth: Vec<u32> = scoring[start..end].iter().map(|row| material.clean.truth[*row]).collect();
        right += correct(&answers, &truth);
    }
    Ok(right)
}

fn highest(logits: &[f32]) -> u32 {
    let view = ndarray::ArrayView1::from(logits);
    let highest = view.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    view.axis_iter(Axis(0)).position(|logit| logit.iter().all(|value| *value >= highest)).unwrap_or_default()
        as u32
}

impl Work for FineTune {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        let total = self.trainings() * u64::from(job.settings.epochs);
        Ok(Extent { done: self.done(job)?, total, unit: "epochs" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let mut advance = Advance { save: true, ..Advance::default() };
        if self.trainer.is_none() {
            self.begin_next(job)?;
        }
        let epochs = job.settings.epochs as usize;
        let only = self.candidates.len() == 1;
        let (material, settings, state, _) = job.parts()?;
        let (before, images) = before(state, material);
        let (Some(trainer), Some(record)) = (&mut self.trainer, &mut state.training) else {
            return Err(not_planned());
        };
        let name = self.candidates.get(record.candidate).map_or("", |candidate| candidate.name.as_str());
        let what = match record.role {
            TrainingRole::Candidate => format!("pruned, {name}"),
            TrainingRole::TunedOnly => format!("not pruned, {name}"),
        };
        match epoch(trainer, material, settings, cancelled) {
            Ok(mean_loss) => {
                let correct = scored(trainer.network(), material, &material.split.scoring, cancelled)?;
                record.epochs.push(EpochRecord { mean_loss, correct });
                let accuracy = correct as f64 / images as f64;
                advance.metrics = BTreeMap::from([
                    ("mean_loss".to_owned(), mean_loss),
                    ("clean_accuracy".to_owned(), accuracy),
                ]);
                let percent = 100.0 * accuracy;
                let epoch = record.epochs.len();
                advance.log.push(format!(
                    "{what}: epoch {epoch} of {epochs}, loss {mean_loss:.4}, {percent:.1} % of the scoring images correct"
                ));
                let searching = record.role == TrainingRole::Candidate && !only;
                if searching && is_lost(correct, before) {
                    record.error = Some(format!("given up after epoch {epoch}: {percent:.1} % correct"));
                }
            }
            Err(EngineFault::Cancelled) => return Err(EngineFault::Cancelled),
            // With settings that somebody asked for it is theirs to change them; a search goes on.
            Err(fault) if only && record.role == TrainingRole::Candidate => return Err(fault),
            Err(fault) => {
                advance.log.push(format!("{what}: {fault}"));
                record.error = Some(fault.to_string());
            }
        }
        if record.error.is_some() || record.epochs.len() >= epochs {
            self.end(job)?;
        }
        advance.done = self.done(job)?;
        if self.next(job)?.is_none() && job.weights.best.is_none() {
            let said =
                "no setting of the tuning keeps the accuracy within the limit: the network is only pruned";
            advance.message = Some(said.to_owned());
            advance.log.push(said.to_owned());
        }
        Ok(advance)
    }

    fn save(&self, folder: &Path) -> Result<(), EngineFault> {
        let Some(trainer) = &self.trainer else { return Ok(()) };
        let bytes = trainer.checkpoint().map_err(|error| torch::fault(&error))?;
        let path = folder.join(TRAINING);
        std::fs::write(&path, bytes).map_err(|error| EngineFault::file("write", &path, &error))
    }
}

/// Trains for one epoch; answers the mean loss.
fn epoch(
    trainer: &mut Trainer,
    material: &Material,
    settings: &Settings,
    cancelled: &Cancelled,
) -> Result<f64, EngineFault> {
    let share = match settings.tuning.distillation {
        Some(share) => share,
        None if material.coverage.is_full() => 0.0,
        None => DISTILLATION,
    };
    let classes = material.description.classes as usize;
    let mut images = TrainingImages {
        view: &material.clean.view,
        preprocessing: &material.preprocessing,
        rows: &material.split.ranking,
        truth: &material.clean.truth,
        image: material.suspect.image(),
        teacher: (share > 0.0).then_some((&material.suspect, share, classes)),
    };
    let watch =
        |_: &_| if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let report = trainer.run_epoch(&mut images, watch).map_err(|error| torch::fault(&error))?;
    if report.finished { Ok(report.mean_loss) } else { Err(EngineFault::Cancelled) }
}
