//! Poisoned pictures as a network learns from them.

use gifthorse_training::{Batch, Examples, ExamplesError, Targets};
use ndarray::{ArrayD, IxDyn};

use super::augmentation::Augmentation;
use crate::pictures::Pictures;

/// Pictures with the classes that they are to be learned as.
pub(super) struct Lessons<'a> {
    pub(super) pictures: &'a Pictures,
    pub(super) classes: &'a [u32],
    pub(super) augmentation: Augmentation,
    pub(super) seed: u64,
}

impl Lessons<'_> {
    fn axes(&self) -> [usize; 3] {
        let size = self.pictures.size();
        [size.height, size.width, size.channels].map(|side| side as usize)
    }
}

impl Examples for Lessons<'_> {
    fn len(&self) -> usize {
        self.classes.len()
    }

    fn batch(&mut self, epoch: u64, indices: &[usize]) -> Result<Batch, ExamplesError> {
        let axes = self.axes();
        let samples = axes.iter().product::<usize>();
        let mut values = vec![0.0; indices.len() * samples];
        for (index, out) in indices.iter().zip(values.chunks_exact_mut(samples)) {
            // Odd factors keep (epoch, row) apart.
            let draw = self.seed
                ^ epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ (*index as u64).wrapping_mul(0xd1b5_4a32_d192_ed03);
            self.augmentation.apply(self.pictures.picture(*index), axes, draw, out);
        }
        let [height, width, channels] = axes;
        let images = ArrayD::from_shape_vec(IxDyn(&[indices.len(), height, width, channels]), values)?;
        let labels = indices.iter().map(|index| self.classes[*index]).collect();
        Ok(Batch { images, targets: Targets::Labels(labels) })
    }
}
