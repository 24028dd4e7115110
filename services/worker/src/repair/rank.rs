//! The order of the channels, and what they see: one pass over the ranking images, one over each triggered set.

use gifthorse_defence::pruning::{ChannelMeans, Ranking};

use super::job::Job;
use super::material::Material;
use super::state::{Map, Ranked};
use super::work::{Piece, Work};
use crate::engine::{Advance, Cancelled, EngineFault, Extent};
use crate::pruning::{Carried, ImageSource, SweepError, average};

/// Layers of more numbers an image get no map: the pictures would be larger than the report.
const LARGEST_MAP: usize = 1 << 20;

/// The pass under way. It is short beside the others and begins anew after an interruption.
pub(super) struct Rank {
    means: ChannelMeans,
    /// For the ranking images and for each triggered set.
    sums: Vec<MapSum>,
    /// The set that is read, and the images of it that are done.
    at: (usize, usize),
}

struct MapSum {
    images: u64,
    sums: Vec<f64>,
}

impl MapSum {
    fn add(&mut self, carried: &Carried) {
        self.images += carried.rows() as u64;
        if self.sums.is_empty() {
            return;
        }
        for image in carried.activation().chunks_exact(self.sums.len()) {
            for (sum, value) in self.sums.iter_mut().zip(image) {
                *sum += f64::from(*value);
            }
        }
    }

    fn mean(&self) -> Map {
        let images = self.images.max(1) as f64;
        Map { images: self.images, values: self.sums.iter().map(|sum| (sum / images) as f32).collect() }
    }
}

impl Rank {
    pub(super) fn begin(material: &Material) -> Self {
        let shape = material.halves.activation_shape();
        let numbers = shape.channels * shape.height * shape.width;
        let kept = if numbers <= LARGEST_MAP { numbers } else { 0 };
        let sums = (0..=material.triggered.len()).map(|_| MapSum { images: 0, sums: vec![0.0; kept] });
        Self { means: ChannelMeans::new(shape), sums: sums.collect(), at: (0, 0) }
    }
}

impl Work for Rank {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        let material = job.material()?;
        let triggered: usize = material.triggered.iter().map(|set| set.images.count()).sum();
        Ok(Extent { done: 0, total: (material.split.ranking.len() + triggered) as u64, unit: "images" })
    }

    fn advance(&mut self, job: &mut Job, cancelled: &Cancelled) -> Result<Advance, EngineFault> {
        let (material, _, state, _) = job.parts()?;
        let fault = |error| EngineFault::of::<SweepError>(&error);
        let piece = Piece::begin();
        let halves = &material.halves;
        while self.at.0 < self.sums.len() && !piece.is_over() {
            cancelled.check()?;
            let (set, start) = self.at;
            let images = match set.checked_sub(1).map(|index| &material.triggered[index]) {
                None => material.clean.rows(&material.preprocessing, &material.split.ranking)?,
                Some(triggered) => triggered.images.all(&material.preprocessing),
            };
            let end = images.count().min(start + halves.batch_rows().get());
            let carried = halves.carried(images.read(start..end).map_err(fault)?).map_err(fault)?;
            if set == 0 {
                average(&mut self.means, halves, &carried).map_err(fault)?;
            }
            self.sums[set].add(&carried);
            self.at = if end == images.count() { (set + 1, 0) } else { (set, end) };
        }
        let done = self.sums.iter().map(|sum| sum.images).sum();
        let mut advance = Advance { done, ..Advance::default() };
        if self.at.0 == self.sums.len() {
            let means = self.means.clone().finish().map_err(|error| EngineFault::of(&error))?;
            let ranking = Ranking::ascending(&means).map_err(|error| EngineFault::of(&error))?;
            advance.log.push(format!("{} of {} channels never fire", means.dead().len(), halves.channels()));
            advance.log.push(format!("ranking: {ranking}"));
            state.ranked = Some(Ranked {
                ranking,
                means: means.means().to_vec(),
                dead: means.dead(),
                maps: self.sums.iter().map(MapSum::mean).collect(),
            });
        }
        Ok(advance)
    }
}
