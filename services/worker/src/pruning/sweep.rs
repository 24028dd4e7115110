//! The whole curve: one more channel zeroed at each step, and only the second half of the network run.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use gifthorse_defence::pruning::Ranking;

use super::cache::ActivationCache;
use super::error::SweepError;
use super::network::CutNetwork;
use super::observer::{Observer, Progress, Stage};
use super::point::{SweepPoint, TriggeredCounts};

/// Clean images that score.
#[derive(Debug, Clone, Copy)]
pub struct CleanSet<'a> {
    /// What crosses the cut for them.
    pub cache: &'a ActivationCache,
    /// The true class of each.
    pub truth: &'a [u32],
}

/// Triggered images that report.
#[derive(Debug, Clone, Copy)]
pub struct TriggeredSet<'a> {
    /// What crosses the cut for them.
    pub cache: &'a ActivationCache,
    /// The attacker's class of each.
    pub target: &'a [u32],
    /// The true class of each, where known.
    pub truth: Option<&'a [u32]>,
}

/// A sweep over a ranking.
///
/// A channel that is zero for an image already changes nothing about its answer, so at each step only those
/// images run again in which the pruned channel fires.
#[derive(Debug)]
pub struct Sweep<'a> {
    network: &'a CutNetwork,
    ranking: &'a Ranking,
    sets: Vec<Set<'a>>,
    steps_a_pass: NonZeroUsize,
}

/// One set, and the classes whose answers are counted.
#[derive(Debug)]
struct Set<'a> {
    cache: &'a ActivationCache,
    truth: Option<&'a [u32]>,
    target: Option<&'a [u32]>,
}

/// Steps that are made on a batch while it is in memory: activations on disk are read once for so many.
const STEPS_A_PASS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Answers counted at one point, of one set.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    correct: usize,
    to_target: usize,
}

impl<'a> Sweep<'a> {
    /// Prepares the sweep of a ranking of the network's activation.
    ///
    /// # Errors
    /// [`SweepError::OtherLayer`] when the ranking has another count of channels, [`SweepError::Labels`] when
    /// a set has not one class an image.
    pub fn new(
        network: &'a CutNetwork,
        ranking: &'a Ranking,
        clean: CleanSet<'a>,
        triggered: &[TriggeredSet<'a>],
    ) -> Result<Self, SweepError> {
        if ranking.channels() != network.channels() {
            return Err(SweepError::OtherLayer {
                ranked: ranking.channels(),
                layer: network.site().cut.layer.clone(),
                channels: network.channels(),
            });
        }
        let clean = Set { cache: clean.cache, truth: Some(clean.truth), target: None };
        let triggered =
            triggered.iter().map(|set| Set { cache: set.cache, truth: set.truth, target: Some(set.target) });
        let sets: Vec<Set<'a>> = [clean].into_iter().chain(triggered).collect();
        for set in &sets {
            for (classes, kind) in [(set.truth, "true classes"), (set.target, "target classes")] {
                let images = set.cache.rows();
                let labels = classes.map_or(images, <[u32]>::len);
                if labels != images {
                    return Err(SweepError::Labels { images, labels, kind });
                }
            }
        }
        Ok(Self { network, ranking, sets, steps_a_pass: STEPS_A_PASS })
    }

    /// Changes how many steps are made on a batch while it is in memory. Does not change the curve: more
    /// steps read a cache on disk less often, fewer tell the observer of points earlier.
    #[must_use]
    pub const fn with_steps_a_pass(mut self, steps: NonZeroUsize) -> Self {
        self.steps_a_pass = steps;
        self
    }

    /// The points of the whole curve, the untouched network first and the one without channels last.
    pub fn run(&self, observer: &dyn Observer) -> Result<Vec<SweepPoint>, SweepError> {
        self.points(0..=self.ranking.channels(), observer)
    }

    /// The points from so many pruned channels to so many, both included. To go on with a curve, start behind
    /// its last point; the points are the same as those of one run.
    ///
    /// # Errors
    /// [`SweepError::Cancelled`] when the observer ended it, after the points it has heard of.
    pub fn points(
        &self,
        steps: RangeInclusive<usize>,
        observer: &dyn Observer,
    ) -> Result<Vec<SweepPoint>, SweepError> {
        let (from, to, channels) = (*steps.start(), *steps.end(), self.ranking.channels());
        if from > to || to > channels {
            return Err(SweepError::Steps { from, to, channels });
        }
        let images: usize = self.sets.iter().map(|set| set.cache.rows()).sum();
        let mut meter = Meter { observer, done: 0, total: images as u64 * (to - from + 1) as u64 };
        let mut answers = Vec::with_capacity(self.sets.len());
        for set in &self.sets {
            answers.push(self.first(set, from, &mut meter)?);
        }
        let mut tallies: Vec<Tally> =
            self.sets.iter().zip(&answers).map(|(set, answers)| set.count(answers)).collect();
        let mut points = vec![self.point(from, &tallies)];
        observer.point(&points[0]);
        let mut at = from;
        while at < to {
            let end = to.min(at + self.steps_a_pass.get());
            let mut pass: Vec<Vec<Tally>> = Vec::with_capacity(self.sets.len());
            for ((set, answers), tally) in self.sets.iter().zip(&mut answers).zip(&tallies) {
                pass.push(self.pass(set, at..end, answers, *tally, &mut meter)?);
            }
            for step in 0..end - at {
                tallies = pass.iter().map(|steps| steps[step]).collect();
                let point = self.point(at + step + 1, &tallies);
                observer.point(&point);
                points.push(point);
            }
            at = end;
        }
        Ok(points)
    }

    fn point(&self, channels: usize, tallies: &[Tally]) -> SweepPoint {
        let triggered = self.sets.iter().zip(tallies).skip(1).map(|(set, tally)| TriggeredCounts {
            to_target: tally.to_target,
            correct: set.truth.map(|_| tally.correct),
        });
        let clean_correct = tallies.first().map_or(0, |clean| clean.correct);
        SweepPoint { channels, clean_correct, triggered: triggered.collect() }
    }

    /// The answers to all images of a set with the first channels of the ranking pruned.
    fn first(&self, set: &Set<'_>, pruned: usize, meter: &mut Meter<'_>) -> Result<Vec<u32>, SweepError> {
        let mut answers = Vec::with_capacity(set.cache.rows());
        for batch in set.cache.batches() {
            meter.check()?;
            let mut batch = batch?.into_owned();
            for channel in &self.ranking.order()[..pruned] {
                batch.prune(*channel, self.network.channels(), self.network.area());
            }
            let rows = batch.rows();
            answers.extend(self.network.answers(batch)?);
            meter.add(rows);
        }
        Ok(answers)
    }

    /// Prunes the channels of some more steps; answers the counts after each, and leaves the last answers.
    fn pass(
        &self,
        set: &Set<'_>,
        steps: std::ops::Range<usize>,
        answers: &mut [u32],
        before: Tally,
        meter: &mut Meter<'_>,
    ) -> Result<Vec<Tally>, SweepError> {
        let (channels, area) = (self.network.channels(), self.network.area());
        let order = self.ranking.order();
        // What each step adds to and takes from the counts.
        let mut gained = vec![Tally::default(); steps.len()];
        let mut lost = vec![Tally::default(); steps.len()];
        let mut start = 0;
        for batch in set.cache.batches() {
            let mut batch = batch?.into_owned();
            for channel in &order[..steps.start] {
                batch.prune(*channel, channels, area);
            }
            for (step, channel) in order[steps.clone()].iter().enumerate() {
                meter.check()?;
                let fired = batch.prune(*channel, channels, area);
                let again = self.network.answers(batch.gathered(&fired))?;
                for (place, answer) in fired.into_iter().zip(again) {
                    let row = start + place;
                    let old = std::mem::replace(&mut answers[row], answer);
                    set.tally(row, old, &mut lost[step]);
                    set.tally(row, answer, &mut gained[step]);
                }
                meter.add(batch.rows());
            }
            start += batch.rows();
        }
        let mut tally = before;
        let after = gained.iter().zip(&lost).map(|(gained, lost)| {
            tally.correct = tally.correct + gained.correct - lost.correct;
            tally.to_target = tally.to_target + gained.to_target - lost.to_target;
            tally
        });
        Ok(after.collect())
    }
}

impl Set<'_> {
    fn count(&self, answers: &[u32]) -> Tally {
        let mut tally = Tally::default();
        for (row, answer) in answers.iter().enumerate() {
            self.tally(row, *answer, &mut tally);
        }
        tally
    }

    fn tally(&self, row: usize, answer: u32, tally: &mut Tally) {
        let is = |classes: Option<&[u32]>| classes.is_some_and(|classes| classes[row] == answer);
        tally.correct += usize::from(is(self.truth));
        tally.to_target += usize::from(is(self.target));
    }
}

/// Tells the observer how far it is.
struct Meter<'a> {
    observer: &'a dyn Observer,
    done: u64,
    total: u64,
}

impl Meter<'_> {
    fn check(&self) -> Result<(), SweepError> {
        if self.observer.is_cancelled() { Err(SweepError::Cancelled) } else { Ok(()) }
    }

    fn add(&mut self, images: usize) {
        self.done += images as u64;
        self.observer.progress(Progress { stage: Stage::Sweep, done: self.done, total: self.total });
    }
}
