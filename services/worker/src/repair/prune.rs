//! The whole curve: what pruning more and more channels does.

use std::collections::BTreeMap;

use super::job::Job;
use super::material::Material;
use super::work::{Piece, Work};
use crate::engine::{Advance, Cancelled, EngineFault, Extent};
use crate::pruning::{
    ActivationCache, CacheOptions, CleanSet, ImageSource, Observer, StoredImages, Sweep, SweepError,
    TriggeredSet,
};

/// Bytes of activations that stay in memory; more lie on disk. Small, so that a job needs the same memory for any count
/// of images: what was just spilled is in the page cache anyway, as far as the machine has memory to spare.
const MEMORY: u64 = 1 << 26;
/// Steps of one piece at most: a sweep reads what lies on disk once for so many.
const MOST_STEPS: usize = 16;
/// Images times steps of one piece, about. Time would be a better measure, but not the same in each attempt.
const PIECE_IMAGES: usize = 16_000;

/// The sweep under way. What crosses the cut is collected anew after an interruption; the points are kept.
pub(super) struct Prune {
    /// The scoring images, then each triggered set.
    caches: Vec<ActivationCache>,
    /// The true class of each scoring image.
    truth: Vec<u32>,
    /// Steps of a piece.
    steps: usize,
}

/// Ends the sweep when the job is cancelled.
struct Watching<'a>(&'a Cancelled);

impl Observer for Watching<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

fn fault(error: &SweepError) -> EngineFault {
    if matches!(error, SweepError::Cancelled) { EngineFault::Cancelled } else { EngineFault::of(error) }
}

impl Prune {
    pub(super) fn begin(job: &Job) -> Result<Self, EngineFault> {
        let material = job.material()?;
        let truth = material.split.scoring.iter().map(|row| material.clean.truth[*row]).collect();
        let options = |sets: usize| CacheOptions {
            memory_bytes: MEMORY / sets as u64,
            folder: job.assignment.scratch.clone(),
        };
        let sets = 1 + material.triggered.len();
        let caches = (0..sets).map(|_| ActivationCache::new(options(sets))).collect();
        let steps = (PIECE_IMAGES / images(material)).clamp(1, MOST_STEPS);
        Ok(Self { caches, truth, steps })
    }

    fn images(material: &Material, set: usize) -> Result<StoredImages<'_>, EngineFault> {
        match set.checked_sub(1) {
            None => material.clean.rows(&material.preprocessing, &material.split.scoring),
            Some(index) => Ok(material.triggered[index].images.all(&material.preprocessing)),
        }
    }

    /// Runs images through the first half for the length of a piece; answers whether all are through.
    fn collect(&mut self, material: &Material, cancelled: &Cancelled) -> Result<bool, EngineFault> {
        let piece = Piece::begin();
        for (set, cache) in self.caches.iter_mut().enumerate() {
            let images = Self::images(material, set)?;
            while cache.rows() < images.count() {
                if piece.is_over() {
                    return Ok(false);
                }
                cancelled.check()?;
                let end = images.count().min(cache.rows() + material.halves.batch_rows().get());
                let batch = images.read(cache.rows()..end).map_err(|error| fault(&error))?;
                cache
                    .push(material.halves.carried(batch).map_err(|error| fault(&error))?)
                    .map_err(|error| fault(&error))?;
            }
        }
        Ok(true)
    }

    fn collected(&self) -> usize {
        self.caches.iter().map(ActivationCache::rows).sum()
    }
}

/// Images of all sets of a sweep.
fn images(material: &Material) -> usize {
    material.split.scoring.len() + material.triggered.iter().map(|set| set.images.count()).sum::<usize>()
}

impl Work for Prune {
    /// Every image once through the first half, and once a point through the second.
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        let material = job.material()?;
        let (images, points) = (images(material) as u64, material.halves.channels() as u64 + 1);
        let known = job.state.points.len() as u64;
        // After an interruption only what the points stand for is done: the first half comes again.
        let done = if known == points { images * (points + 1) } else { images * known };
        Ok(Extent { done, total: images * (points + 1), unit: "images" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let (material, _, state, _) = job.parts()?;
        let images = images(material) as u64;
        if self.collected() < images as usize {
            self.collect(material, cancelled)?;
            let done = images * state.points.len() as u64 + self.collected() as u64;
            return Ok(Advance { done, ..Advance::default() });
        }
        let Some(ranked) = &state.ranked else {
            let message = "the sweep was entered before the channels were ranked";
            return Err(EngineFault::internal(gifthorse_api::catalogue::ErrorCode::Internal, message));
        };
        let targets: Vec<Vec<u32>> = material
            .triggered
            .iter()
            .zip(&state.targets)
            // No class of the network stands for an attacker's class that is not known.
            .map(|(set, target)| vec![target.unwrap_or(u32::MAX); set.images.count()])
            .collect();
        let triggered: Vec<TriggeredSet<'_>> = self.caches[1..]
            .iter()
            .zip(&targets)
            .zip(&material.triggered)
            .map(|((cache, target), set)| TriggeredSet { cache, target, truth: Some(&set.images.truth) })
            .collect();
        let clean = CleanSet { cache: &self.caches[0], truth: &self.truth };
        let sweep = Sweep::new(&material.halves, &ranked.ranking, clean, &triggered)
            .map_err(|error| fault(&error))?;
        let from = state.points.len();
        let to = material.halves.channels().min(from + self.steps - 1);
        let points = sweep.points(from..=to, &Watching(cancelled)).map_err(|error| fault(&error))?;
        state.points.extend(points);

        let mut metrics = BTreeMap::new();
        if let Some(point) = state.points.last() {
            metrics.insert("pruned_channels".to_owned(), point.channels as f64);
            let accuracy = point.clean_correct as f64 / self.truth.len() as f64;
            metrics.insert("clean_accuracy".to_owned(), accuracy);
            for ((set, target), counts) in material.triggered.iter().zip(&state.targets).zip(&point.triggered)
            {
                if target.is_some() {
                    let rate = counts.to_target as f64 / set.images.count() as f64;
                    metrics.insert(format!("attack_success_rate.{}", set.images.name), rate);
                }
            }
        }
        let done = images * (state.points.len() as u64 + 1);
        Ok(Advance { done, metrics, save: true, ..Advance::default() })
    }
}
