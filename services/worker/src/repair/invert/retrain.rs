//! Unlearning by training, for networks that have no linear layer before their last: residual and other convolutional
//! ones that average over places.
//!
//! As in the solve, nobody's labels are needed: the network is trained to give with a trigger, and without one, what
//! the suspect gives for the same image without it. So classes without images are held as well as the images allow.
//! Learning rates are tried from the strongest on, and the first that takes the triggers away at a bearable loss of
//! held-out accuracy is kept.

use std::ops::ControlFlow;

use gifthorse_training::{Batch, Examples, ExamplesError, Network, Recipe, Schedule, Targets, Trainer};

use super::super::candidates::{is_lost, is_within};
use super::super::examples::softmax;
use super::super::fine_tune;
use super::super::material::Material;
use super::super::settings::Settings;
use super::super::torch;
use super::chance::Chance;
use super::clean::Clean;
use super::found::{Found, How, Kept};
use super::solve::{fallen, stamped};
use super::sticker::Sticker;
use crate::engine::{Cancelled, EngineFault};
use crate::pruning::WholeNetwork;

/// Learning rates that are tried, the strongest first.
const LEARNING_RATES: [f64; 6] = [0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5];
/// How long each of them trains.
const EPOCHS: u32 = 6;
/// A trigger that works on no more of the held-out images is unlearned.
const UNLEARNED: f64 = 0.02;
/// Held-out images that triggers are put on to see whether they still work, of each class.
const LOOKED_AT: usize = 300;
/// Streams of draws.
const TRAINING_STREAM: u64 = 1 << 34;
const LOOKING_STREAM: u64 = 1 << 35;

/// What does not change while a network is retrained.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) material: &'a Material,
    pub(super) settings: &'a Settings,
    /// The network as it is before.
    pub(super) onnx: &'a [u8],
    pub(super) clean: &'a Clean,
    pub(super) found: &'a Found,
    pub(super) stickers: &'a [Sticker],
    /// Held-out images that the suspect answers correctly.
    pub(super) before: usize,
}

/// The trainings under way. One that was interrupted begins again.
pub(super) struct Retraining {
    held_out: Clean,
    rate: usize,
    epoch: u32,
    trainer: Option<Trainer>,
    best: Option<Best>,
}

struct Best {
    network: Network,
    kept: Kept,
    /// The share of held-out images that the triggers still work on.
    working: f64,
}

/// How far a retraining is.
pub(super) enum Progress {
    /// An epoch is done.
    GoesOn(String),
    /// All is done. No network where none is good enough.
    Done(Option<Box<Network>>, Kept),
}

impl Retraining {
    pub(super) fn begin(material: &Material, seed: u64) -> Result<Self, EngineFault> {
        let held_out = Clean::of_rows(material, &material.split.scoring, seed)?;
        Ok(Self { held_out, rate: 0, epoch: 0, trainer: None, best: None })
    }

    /// Epochs that are done of all that there may be.
    pub(super) fn done(&self) -> (usize, usize) {
        let epochs = EPOCHS as usize;
        (self.rate * epochs + self.epoch as usize, LEARNING_RATES.len() * epochs)
    }

    /// Trains for one epoch.
    pub(super) fn advance(
        &mut self,
        known: Known<'_>,
        cancelled: &Cancelled,
    ) -> Result<Progress, EngineFault> {
        let Some(rate) = LEARNING_RATES.get(self.rate).copied() else { return Ok(self.end(known)) };
        let mut trainer = match self.trainer.take() {
            Some(trainer) => trainer,
            None => begin(known, rate)?,
        };
        let mut images = Images { known, seed: known.settings.seed };
        let watch =
            |_: &_| if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let report = match trainer.run_epoch(&mut images, watch) {
            Ok(report) if !report.finished => return Err(EngineFault::Cancelled),
            Ok(report) => report,
            // A rate that is too strong is no fault: the next one is weaker.
            Err(error) => return Ok(self.next(format!("learning rate {rate}: {error}"))),
        };
        self.epoch += 1;
        let scoring = &known.material.split.scoring;
        let correct = fine_tune::scored(trainer.network(), known.material, scoring, cancelled)?;
        let percent = 100.0 * correct as f64 / scoring.len().max(1) as f64;
        let (epoch, loss) = (self.epoch, report.mean_loss);
        let said = format!(
            "learning rate {rate}: epoch {epoch} of {EPOCHS}, loss {loss:.4}, {percent:.1} % of the held-out images correct"
        );
        if is_lost(correct, known.before) {
            return Ok(self.next(format!("{said}: given up")));
        }
        if self.epoch < EPOCHS {
            self.trainer = Some(trainer);
            return Ok(Progress::GoesOn(said));
        }
        let network = trainer.into_network();
        let working = self.working(&network, known)?;
        let kept = Kept {
            before: known.before,
            after: correct,
            images: scoring.len(),
            how: How::Trained { learning_rate: rate },
        };
        let said = format!("{said}; triggers work on {:.1} %", 100.0 * working);
        let is_within = is_within(correct, known.before, scoring.len(), known.settings.largest_drop);
        let is_better = self.best.as_ref().is_none_or(|best| working < best.working);
        if is_better && fallen(kept) <= known.settings.gate.accuracy_drop.as_f64() {
            self.best = Some(Best { network, kept, working });
        }
        let said = self.next(said);
        if is_within && working <= UNLEARNED {
            self.rate = LEARNING_RATES.len();
        }
        Ok(said)
    }

    fn next(&mut self, said: String) -> Progress {
        self.rate += 1;
        self.epoch = 0;
        Progress::GoesOn(said)
    }

    fn end(&mut self, known: Known<'_>) -> Progress {
        if let Some(best) = self.best.take() {
            return Progress::Done(Some(Box::new(best.network)), best.kept);
        }
        let images = known.material.split.scoring.len();
        let how = How::Trained { learning_rate: 0.0 };
        Progress::Done(None, Kept { before: known.before, after: 0, images, how })
    }

    /// The share of held-out images of other classes that triggers still take to theirs, of the class where it is highest.
    fn working(&self, network: &Network, known: Known<'_>) -> Result<f64, EngineFault> {
        let batch = known.material.suspect.batch_rows();
        let mut highest = 0.0_f64;
        for class in known.found.classes() {
            let mut chance = Chance::new(known.settings.seed, LOOKING_STREAM | u64::from(class));
            let (mut reached, mut all) = (0, 0);
            for first in (0..LOOKED_AT).step_by(batch) {
                let count = batch.min(LOOKED_AT - first);
                let (with, without) =
                    stamped(&self.held_out, known.found, known.stickers, class, count, &mut chance);
                let [with, without] = [with, without].map(|values| answers(network, &self.held_out, values));
                for (with, without) in with?.into_iter().zip(without?) {
                    all += usize::from(without != class);
                    reached += usize::from(without != class && with == class);
                }
            }
            highest = highest.max(f64::from(reached as u32) / f64::from(all.max(1) as u32));
        }
        Ok(highest)
    }
}

fn begin(known: Known<'_>, rate: f64) -> Result<Trainer, EngineFault> {
    let network = torch::load(known.onnx, &known.material.description, &known.material.site, &[], &[])?;
    let recipe = Recipe {
        schedule: Schedule::Cosine { epochs: f64::from(EPOCHS), left: 0.0 },
        seed: known.settings.seed,
        ..Recipe::sgd(rate)
    };
    Trainer::new(network, recipe).map_err(|error| torch::fault(&error))
}

/// The class that each image is answered with.
fn answers(network: &Network, clean: &Clean, values: Vec<f32>) -> Result<Vec<u32>, EngineFault> {
    let logits = network.logits(clean.array(values)?.view()).map_err(|error| torch::fault(&error))?;
    let highest = |row: ndarray::ArrayView1<'_, f32>| {
        let best = row.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map_or(0, |(class, _)| class as u32)
    };
    Ok(logits.rows().into_iter().map(highest).collect())
}

/// Each clean image twice: as it is, and with a trigger; the target is what the suspect answers without one.
struct Images<'a> {
    known: Known<'a>,
    seed: u64,
}

impl Images<'_> {
    /// The image of a number as it is learned from, and as the teacher sees it.
    fn pair(&self, epoch: u64, index: usize, classes: &[u32]) -> (Vec<f32>, Vec<f32>) {
        let Known { clean, found, stickers, .. } = self.known;
        let mut chance = Chance::new(self.seed, TRAINING_STREAM | epoch << 24 | index as u64);
        if index < clean.count() {
            let image = clean.moved(index, &mut chance);
            return (image.clone(), image);
        }
        let class = classes[chance.below(classes.len())];
        stamped(clean, found, stickers, class, 1, &mut chance)
    }
}

impl Examples for Images<'_> {
    fn len(&self) -> usize {
        2 * self.known.clean.count()
    }

    fn batch(&mut self, epoch: u64, indices: &[usize]) -> Result<Batch, ExamplesError> {
        let classes = self.known.found.classes();
        let (mut learned, mut seen) = (Vec::new(), Vec::new());
        for index in indices {
            let (image, plain) = self.pair(epoch, *index, &classes);
            learned.extend(image);
            seen.extend(plain);
        }
        let teacher: &WholeNetwork = &self.known.material.suspect;
        let targets = softmax(teacher.logits(seen)?, self.known.material.description.classes as usize)?;
        Ok(Batch { images: self.known.clean.array(learned)?, targets: Targets::Soft(targets) })
    }
}
