//! The method `invert`: triggers are found, or taken from alarms, and unlearned, by one linear solve where that can be.
//!
//! Classes that are looked at come from the images to unlearn, which say theirs, from the audit of the output layer,
//! or from a screen of all classes; never from triggered sets, which only report. For a class that alarms show, the
//! trigger is cut out of their images. For others it is looked for by inversion (Neural Cleanse, Wang et al., S&P
//! 2019), piece by piece: where a piece was found, the next one may not be. The pieces are put on clean images, and
//! the first linear layers are changed so that these give what the same images give without them; networks that have
//! none before their last are trained to.
//!
//! One inversion takes seconds and is the smallest piece of work: one that was interrupted begins again.

mod aims;
mod alarms;
mod bands;
mod bias;
mod chance;
mod clean;
mod found;
mod parameters;
mod pattern;
mod retrain;
mod screen;
mod search;
mod solve;
mod sticker;
mod words;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_training::Network;

pub(super) use found::Found;
pub(super) use parameters::InversionParameters;
pub(super) use words::notes;

use super::fine_tune::{self, pruned};
use super::job::Job;
use super::torch;
use super::work::Work;
use crate::engine::{Advance, Cancelled, EngineFault, Extent};
use bands::Bands;
use clean::Clean;
use found::{Kept, Step};
use retrain::{Known, Progress, Retraining};
use sticker::Sticker;

/// Parts of the work in all: far more than pieces, since each piece counts for one at least.
const PARTS: u64 = 10_000;

/// The method under way, with what it keeps open.
#[derive(Default)]
pub(super) struct Invert {
    open: Option<Open>,
}

/// What every step needs.
struct Open {
    clean: Clean,
    /// The network that is repaired: the suspect, with channels pruned where some were asked for.
    onnx: Vec<u8>,
    network: Network,
    /// The images to unlearn.
    alarms: Vec<f32>,
    bands: Option<Bands>,
    /// Whether there is a linear layer to solve for.
    is_linear: bool,
    retraining: Option<Retraining>,
}

impl Open {
    fn new(job: &Job) -> Result<Self, EngineFault> {
        let material = job.material()?;
        let onnx = pruned(material, &job.state)?;
        let is_linear = gifthorse_network::surgery::first_linear(&onnx, &material.description).is_ok();
        if !is_linear && job.settings.inversion.clip_quantile.is_some() {
            // Said before hours of looking, not after.
            let message = "specification.parameters[\"clip_quantile\"] is for networks with a linear layer before their \
                           last: leave it out";
            return Err(EngineFault::invalid(ErrorCode::InvalidField, message));
        }
        let network = torch::load(&onnx, &material.description, &material.site, &[], &[])?;
        let clean = Clean::of(material, job.settings.seed)?;
        let alarms = alarms_of(job)?;
        Ok(Self { clean, onnx, network, alarms, bands: None, is_linear, retraining: None })
    }

    /// Images to unlearn.
    fn alarm_count(&self) -> usize {
        self.alarms.len() / self.clean.numbers().max(1)
    }

    fn alarm(&self, place: usize) -> &[f32] {
        let numbers = self.clean.numbers();
        &self.alarms[place * numbers..(place + 1) * numbers]
    }
}

/// The images to unlearn as the network takes them; of many only the first.
fn alarms_of(job: &Job) -> Result<Vec<f32>, EngineFault> {
    use crate::pruning::{ImageSource as _, StoredImages};
    const MOST: usize = 128;
    let Some(input) = &job.assignment.unlearn else { return Ok(Vec::new()) };
    let view =
        gifthorse_dataset::DatasetView::open(&input.folder).map_err(|error| EngineFault::of(&error))?;
    let images = StoredImages::all(&view, &job.material()?.preprocessing);
    images.read(0..images.count().min(MOST)).map_err(|error| EngineFault::of(&error))
}

/// What a step answers: lines for the log.
type Said = Result<Vec<String>, EngineFault>;

impl Invert {
    fn work(&mut self, job: &mut Job, cancelled: &Cancelled) -> Said {
        if self.open.is_none() {
            self.open = Some(Open::new(job)?);
        }
        let Some(open) = &mut self.open else { return Ok(Vec::new()) };
        match job.state.found.step {
            Step::Alarms => aims::locate(open, job, cancelled),
            Step::Stickers => aims::extract(open, job),
            Step::Aims => aims::choose(open, job, cancelled),
            Step::Controls => search::control(open, job, cancelled),
            Step::Screened => search::screened(open, job, cancelled),
            Step::Pieces => search::piece(open, job, cancelled),
            Step::Solve => unlearn(open, job, cancelled),
            Step::Ended => Ok(Vec::new()),
        }
    }

    /// Parts that are done. Only an order of magnitude: how much there is to find nobody knows before.
    fn done(&self, job: &Job) -> u64 {
        let found = &job.state.found;
        let part = |begin: u64, end: u64, done: usize, all: usize| {
            begin + (end - begin) * done.min(all) as u64 / all.max(1) as u64
        };
        let percent = match found.step {
            Step::Alarms => part(0, 4, found.alarms.len(), found.alarms.len().max(64)),
            Step::Stickers => part(5, 14, found.extracted, found.alarms.len()),
            Step::Aims => 15,
            Step::Controls => part(16, 29, found.controls.len(), search::CONTROLS),
            Step::Screened => part(30, 44, found.screened.len(), found.shortlist.len()),
            Step::Pieces => {
                let pieces = job.settings.inversion.pieces as usize + 1;
                let done = found.aimed * pieces + found.inversions as usize;
                part(45, 84, done, found.aims.len() * pieces)
            }
            Step::Solve => {
                let retraining = self.open.as_ref().and_then(|open| open.retraining.as_ref());
                let (done, all) = retraining.map_or((0, 1), Retraining::done);
                part(85, 99, done, all)
            }
            Step::Ended => return PARTS,
        };
        (percent * PARTS / 100).max(found.parts + 1).min(PARTS - 1)
    }
}

impl Work for Invert {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        Ok(Extent { done: job.state.found.parts, total: PARTS, unit: "parts" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let log = self.work(job, cancelled)?;
        job.state.found.parts = self.done(job);
        let mut advance = Advance { done: job.state.found.parts, save: true, ..Advance::default() };
        advance.message = log.last().cloned();
        advance.log = log;
        if let Some(kept) = job.state.found.outcome.filter(|_| job.state.found.step == Step::Ended) {
            let accuracy = kept.after as f64 / kept.images.max(1) as f64;
            advance.metrics.insert("clean_accuracy".to_owned(), accuracy);
        }
        Ok(advance)
    }
}

/// Changes the weights, and keeps the network where that costs little enough.
fn unlearn(open: &mut Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let (material, settings, state, weights) = job.parts()?;
    if state.found.pieces.is_empty() {
        state.found.step = Step::Ended;
        state.found.given_up = Some("no trigger was found, so there was nothing to unlearn".to_owned());
        return Ok(state.found.given_up.iter().cloned().collect());
    }
    let rows = &material.split.scoring;
    let right = |row: &&usize| state.before.clean.get(**row) == material.clean.truth.get(**row);
    let before = rows.iter().filter(right).count();
    let stickers = Sticker::read_all(&weights.triggers, open.clean.geometry);
    let (repaired, kept) = if open.is_linear {
        let correct = |network: &Network| fine_tune::scored(network, material, rows, cancelled);
        let known = (&open.clean, &state.found, stickers.as_slice());
        let solved =
            solve::solve(material, settings, &open.onnx, known, correct, (before, rows.len()), cancelled)?;
        (solved.0.map(Box::new), solved.1)
    } else {
        let Open { clean, onnx, retraining, .. } = open;
        let retraining = match retraining {
            Some(retraining) => retraining,
            none => none.insert(Retraining::begin(material, settings.seed)?),
        };
        let (found, stickers) = (&state.found, stickers.as_slice());
        let known = Known { material, settings, onnx, clean, found, stickers, before };
        match retraining.advance(known, cancelled)? {
            Progress::GoesOn(said) => return Ok(vec![said]),
            Progress::Done(repaired, kept) => (repaired, kept),
        }
    };
    state.found.step = Step::Ended;
    state.found.outcome = Some(kept);
    let Kept { before, after, images, how } = kept;
    let said = format!("{after} of {images} held-out images correct, {before} before; {}", how.words());
    match repaired {
        Some(mut network) => weights.best = Some(fine_tune::written(material, &mut network)?),
        None => {
            state.found.given_up = Some(format!(
                "unlearning would have cost {:.1} points of held-out accuracy: the network stays as it is",
                100.0 * solve::fallen(kept)
            ));
        }
    }
    Ok(std::iter::once(said).chain(state.found.given_up.clone()).collect())
}
