//! Whether the repaired network may vote: what it and its neighbours answer to everything there is, and to images
//! that the service stamps itself.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use gifthorse_defence::draw::permutation;
use gifthorse_defence::evaluation::Proportion;
use gifthorse_defence::pruning::{
    Attack, Gate, GateLimits, GateReason, GateVerdict, JudgedOn, PairedAccuracy, Suspicion, Trigger,
};

use super::answering;
use super::fine_tune::pruned;
use super::geometry::Geometry;
use super::job::Job;
use super::material::Material;
use super::settings::Settings;
use super::stamps::{self, Kind, Levels};
use super::state::{StampedCounts, State, TrainingRole};
use super::work::{Piece, Work};
use crate::engine::{Advance, Cancelled, EngineFault, Extent};
use crate::pruning::{ImageSource as _, RunOptions, SweepError, WholeNetwork};

/// Names of the networks in the state and in the report.
pub(super) const PRUNED: &str = "pruned";
pub(super) const TUNED_ONLY: &str = "fine-tuned only";
pub(super) const REPAIRED: &str = "repaired";
/// Stamped images of one kind at most, and about how many at least.
const MOST_STAMPED: usize = 2_000;
const FEWEST_STAMPED: usize = 200;
/// Suspect classes that are aimed at, at most; drawn classes beside them.
const MOST_SUSPECTS: usize = 16;
const DRAWN: usize = 4;
/// A class that this share of the images of one kind of stamps is answered with is aimed at as well.
const LED: f64 = 0.5;

/// The networks that are looked at, and the stamped images.
pub(super) struct Judging {
    networks: Vec<(&'static str, WholeNetwork)>,
    kinds: Vec<Kind>,
    /// Answers to stamped images, of each kind: of the suspect, and of the repaired network.
    stamped: Vec<[Vec<u32>; 2]>,
    /// Stamped images of a kind.
    stamped_images: usize,
}

fn fault(error: &SweepError) -> EngineFault {
    EngineFault::of(error)
}

/// The repaired network.
pub(super) fn repaired(job: &Job) -> Result<Vec<u8>, EngineFault> {
    match &job.weights.best {
        Some(best) => Ok(best.clone()),
        None => pruned(job.material()?, &job.state),
    }
}

impl Judging {
    pub(super) fn begin(job: &Job) -> Result<Self, EngineFault> {
        let material = job.material()?;
        let mut files = vec![(REPAIRED, repaired(job)?)];
        if job.weights.best.is_some() {
            files.push((PRUNED, pruned(material, &job.state)?));
            files.extend(job.weights.tuned_only.clone().map(|onnx| (TUNED_ONLY, onnx)));
        }
        let networks = files.into_iter().map(|(name, onnx)| {
            let options = RunOptions::default();
            let network = WholeNetwork::load(&material.engine, name, &onnx, &material.description, options);
            Ok((name, network.map_err(|error| fault(&error))?))
        });
        let scoring = material.split.scoring.len();
        let kinds = stamps::kinds(&material.preprocessing, job.settings.seed);
        Ok(Self {
            networks: networks.collect::<Result<_, EngineFault>>()?,
            stamped: kinds.iter().map(|_| Default::default()).collect(),
            kinds,
            stamped_images: (scoring * FEWEST_STAMPED.div_ceil(scoring)).min(MOST_STAMPED),
        })
    }

    /// Has the suspect and the repaired network answer stamped images; answers whether all are answered.
    fn stamp(
        &mut self,
        material: &Material,
        piece: Piece,
        cancelled: &Cancelled,
    ) -> Result<bool, EngineFault> {
        let scoring = &material.split.scoring;
        let mut levels = Levels::of(&material.preprocessing, Geometry::of(&material.description));
        for (kind, answers) in self.kinds.iter().zip(&mut self.stamped) {
            while answers[0].len() < self.stamped_images {
                if piece.is_over() {
                    return Ok(false);
                }
                cancelled.check()?;
                let start = answers[0].len();
                let end = self.stamped_images.min(start + material.suspect.batch_rows());
                let rows: Vec<usize> = (start..end).map(|place| scoring[place % scoring.len()]).collect();
                let images = material.clean.rows(&material.preprocessing, &rows)?;
                let mut values = images.read(0..rows.len()).map_err(|error| fault(&error))?;
                let numbers = values.len() / rows.len();
                for (place, image) in (start..end).zip(values.chunks_exact_mut(numbers)) {
                    // An image that comes again comes with another stamp.
                    let stamp = (place + place / scoring.len()) % kind.stamps.len();
                    levels.stamp(&kind.stamps[stamp], image);
                }
                if let Some((_, repaired)) = self.networks.iter().find(|(name, _)| *name == REPAIRED) {
                    answers[1].extend(repaired.answers(values.clone()).map_err(|error| fault(&error))?);
                }
                answers[0].extend(material.suspect.answers(values).map_err(|error| fault(&error))?);
            }
        }
        Ok(true)
    }

    /// How often stamps lead to a class, of the images that neither network answers with it anyway: on those a stamp
    /// shows nothing, and where accuracy is low they are many.
    fn counts(&self, material: &Material, state: &State, aims: &BTreeSet<u32>) -> Vec<StampedCounts> {
        let scoring = &material.split.scoring;
        let plain = [Some(&state.before), state.after.get(REPAIRED)];
        let shows = |row: usize, class: u32| {
            let answers = plain.iter().flatten().filter_map(|answers| answers.clean.get(row));
            answers.chain(&material.clean.truth[row..=row]).all(|answer| *answer != class)
        };
        let mut counts = Vec::new();
        for (kind, [before, after]) in self.kinds.iter().zip(&self.stamped) {
            for class in aims {
                let mut count = StampedCounts {
                    trigger: kind.name.to_owned(),
                    is_worn: kind.is_worn,
                    class: *class,
                    images: 0,
                    before: 0,
                    after: 0,
                    changed: [0; 2],
                };
                for (place, (before, after)) in before.iter().zip(after).enumerate() {
                    let row = scoring[place % scoring.len()];
                    if shows(row, *class) {
                        count.images += 1;
                        count.before += usize::from(before == class);
                        count.after += usize::from(after == class);
                        for ((changed, answer), plain) in
                            count.changed.iter_mut().zip([before, after]).zip(plain)
                        {
                            *changed +=
                                usize::from(plain.is_some_and(|plain| plain.clean.get(row) != Some(answer)));
                        }
                    }
                }
                if count.images > 0 {
                    counts.push(count);
                }
            }
        }
        counts
    }

    /// Classes that a kind of stamps leads to in the suspect: whoever made the network may have used its like.
    fn led_to(&self) -> BTreeSet<u32> {
        let leading = |answers: &Vec<u32>| {
            let mut counts = BTreeMap::<u32, usize>::new();
            for answer in answers {
                *counts.entry(*answer).or_default() += 1;
            }
            let most = counts.into_iter().max_by_key(|(class, count)| (*count, std::cmp::Reverse(*class)));
            most.filter(|(_, count)| *count as f64 >= LED * answers.len() as f64).map(|(class, _)| class)
        };
        self.stamped.iter().filter_map(|[before, _]| leading(before)).collect()
    }

    fn done(&self, state: &State) -> u64 {
        let answered: usize = state.after.values().map(answering::answered).sum();
        (answered + self.stamped.iter().map(|[before, _]| before.len()).sum::<usize>()) as u64
    }
}

/// The classes that stamps are aimed at: those that stand out in the output layer, those of the triggered sets, and
/// some that are drawn.
fn aims(job: &Job) -> Result<BTreeSet<u32>, EngineFault> {
    let record = &job.assignment.model.record.specification;
    let suspects = record.suspect_classes.iter().flatten().map(|suspect| suspect.label).take(MOST_SUSPECTS);
    let targets = job.state.targets.iter().flatten().copied();
    let drawn = permutation(job.material()?.description.classes as usize, job.settings.seed);
    let drawn = drawn.into_iter().take(DRAWN).map(|class| class as u32);
    Ok(suspects.chain(targets).chain(drawn).collect())
}

/// What spoke against the network before it was repaired: its output layer, or images that gave alarms.
fn suspicion(job: &Job) -> Suspicion {
    let suspects = job.assignment.model.record.specification.suspect_classes.as_ref();
    match suspects {
        _ if job.assignment.unlearn.is_some() => Suspicion::Alarms,
        None => Suspicion::NotAudited,
        Some(classes) if classes.is_empty() => Suspicion::None,
        Some(_) => Suspicion::OutputLayer,
    }
}

impl Work for Judging {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        let images = answering::images(job.material()?) * self.networks.len();
        let stamped = self.stamped_images * self.kinds.len();
        Ok(Extent { done: self.done(&job.state), total: (images + stamped) as u64, unit: "images" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let piece = Piece::begin();
        let (material, _, state, _) = job.parts()?;
        for (name, network) in &self.networks {
            let answers = state.after.entry((*name).to_owned()).or_default();
            answering::go_on(network, material, answers, piece, cancelled)?;
        }
        let complete = self.networks.iter().all(|(name, _)| {
            state
                .after
                .get(*name)
                .is_some_and(|answers| answering::answered(answers) == answering::images(material))
        });
        let mut advance = Advance::default();
        if complete && self.stamp(material, piece, cancelled)? {
            let aims: BTreeSet<u32> = aims(job)?.union(&self.led_to()).copied().collect();
            let stamped = self.counts(job.material()?, &job.state, &aims);
            let suspicion = suspicion(job);
            let (material, settings, state, _) = job.parts()?;
            state.stamped = stamped;
            let verdict = judge(material, settings, state, suspicion)?;
            let said = format!("{}: {}", verdict.answer, reasons(&verdict));
            state.verdict = Some(verdict);
            advance = Advance { message: Some(said.clone()), log: vec![said], ..Advance::default() };
            advance.metrics = metrics(material, state);
        }
        advance.done = self.done(&job.state);
        Ok(advance)
    }
}

/// The reasons in one sentence each; triggers of the service's own making that fail, which are many, in one together.
pub(super) fn reasons(verdict: &GateVerdict) -> String {
    let mut sentences = Vec::new();
    let (mut failing, mut highest) = (0_usize, 0.0_f64);
    let (mut disturbing, mut most) = (0_usize, 0.0_f64);
    for reason in &verdict.reasons {
        match reason {
            GateReason::TriggerFails { trigger: Trigger::Synthetic | Trigger::Worn, bound, .. } => {
                failing += 1;
                highest = highest.max(*bound);
            }
            GateReason::Disturbs { changed, .. } => {
                disturbing += 1;
                most = most.max(*changed);
            }
            other => sentences.push(other.to_string()),
        }
    }
    if failing > 0 {
        let percent = 100.0 * highest;
        sentences.push(format!("{failing} synthetic triggers work on {percent:.1} % of images at most"));
    }
    if disturbing > 0 {
        let percent = 100.0 * most;
        sentences.push(format!(
            "{disturbing} change answers, of {percent:.1} % of images at most, and lead to no class"
        ));
    }
    sentences.join("; ")
}

/// The rows that judge, and what they are.
pub(super) fn judging_rows(material: &Material, settings: &Settings) -> (Vec<usize>, JudgedOn) {
    let split = &material.split;
    if settings.score_on_all {
        (split.scoring.clone(), JudgedOn::NotHeldOut)
    } else if !material.coverage.is_full() && !split.unseen.is_empty() {
        (split.unseen.clone(), JudgedOn::UnseenClasses)
    } else {
        (split.scoring.clone(), JudgedOn::AllClasses)
    }
}

fn judge(
    material: &Material,
    settings: &Settings,
    state: &State,
    suspicion: Suspicion,
) -> Result<GateVerdict, EngineFault> {
    let empty = super::state::Answers::default();
    let after = state.after.get(REPAIRED).unwrap_or(&empty);
    let (rows, on) = judging_rows(material, settings);
    let truth = &material.clean.truth;
    let is_right = |answers: &[u32], row: usize| answers.get(row) == truth.get(row);
    let pairs = rows.iter().map(|row| (is_right(&state.before.clean, *row), is_right(&after.clean, *row)));
    let clean = PairedAccuracy::of(pairs).map_err(|error| EngineFault::of(&error))?;
    let proportion = |count, total| Proportion::new(count, total).map_err(|error| EngineFault::of(&error));
    let mut attacks = Vec::new();
    for count in &state.stamped {
        attacks.push(Attack {
            name: format!("{} to class {}", count.trigger, count.class),
            trigger: if count.is_worn { Trigger::Worn } else { Trigger::Synthetic },
            before: proportion(count.before, count.images)?,
            after: proportion(count.after, count.images)?,
            changed: Some(count.changed),
        });
    }
    for (index, set) in material.triggered.iter().enumerate() {
        let target = state.targets.get(index).copied().flatten();
        let places = attacked(&set.images.truth, target);
        let reached = |answers: Option<&Vec<u32>>| {
            let reaches = |place: &&usize| {
                let answer = answers.and_then(|answers| answers.get(**place)).copied();
                answer.is_some() && answer == target
            };
            proportion(places.iter().filter(reaches).count(), places.len())
        };
        attacks.push(Attack {
            name: set.images.name.clone(),
            trigger: Trigger::Real,
            before: reached(state.before.triggered.get(index))?,
            after: reached(after.triggered.get(index))?,
            changed: None,
        });
    }
    let tried = state.trainings.iter().filter(|one| one.role == TrainingRole::Candidate).count();
    let settings_tried = u32::try_from(tried).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let verdict =
        Gate::new(GateLimits { settings_tried, ..settings.gate }).judge(clean, on, &attacks, suspicion);
    Ok(match &state.found.given_up {
        Some(why) => verdict.given_up(why),
        None => verdict,
    })
}

/// The images of a triggered set that can show an attack: those that are not of the attacker's class anyway. All of
/// them, where every label names it.
pub(super) fn attacked(truth: &[u32], target: Option<u32>) -> Vec<usize> {
    let others: Vec<usize> = (0..truth.len()).filter(|place| Some(truth[*place]) != target).collect();
    if others.is_empty() { (0..truth.len()).collect() } else { others }
}

/// The share of the images that can show an attack which reach the attacker's class.
pub(super) fn attack_success_rate(truth: &[u32], target: u32, answers: &[u32]) -> f64 {
    let places = attacked(truth, Some(target));
    let reached = places.iter().filter(|place| answers.get(**place) == Some(&target)).count();
    reached as f64 / places.len().max(1) as f64
}

fn metrics(material: &Material, state: &State) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    let Some(after) = state.after.get(REPAIRED) else { return metrics };
    let scoring = &material.split.scoring;
    let right =
        scoring.iter().filter(|row| after.clean.get(**row) == material.clean.truth.get(**row)).count();
    metrics.insert("clean_accuracy".to_owned(), right as f64 / scoring.len() as f64);
    for ((set, target), answers) in material.triggered.iter().zip(&state.targets).zip(&after.triggered) {
        if let Some(target) = target {
            let rate = attack_success_rate(&set.images.truth, *target, answers);
            metrics.insert(format!("attack_success_rate.{}", set.images.name), rate);
        }
    }
    metrics
}
