//! The images that a network is tuned on, read as they are asked for: memory does not grow with their number.

use gifthorse_dataset::{DatasetView, Preprocessing};
use gifthorse_training::{Batch, Examples, ExamplesError, Targets};
use ndarray::{Array2, ArrayD, IxDyn};

use crate::pruning::{ImageSource as _, StoredImages, WholeNetwork};

/// Ranking images with their classes, and with what the suspect answers where it is to be a teacher.
pub(super) struct TrainingImages<'a> {
    pub(super) view: &'a DatasetView,
    pub(super) preprocessing: &'a Preprocessing,
    /// Rows of the data set.
    pub(super) rows: &'a [usize],
    /// The true class of each image of the data set.
    pub(super) truth: &'a [u32],
    /// The axes of an image as the network takes it.
    pub(super) image: [usize; 3],
    /// The teacher, the share of each target that is its, and the count of classes.
    pub(super) teacher: Option<(&'a WholeNetwork, f64, usize)>,
}

impl Examples for TrainingImages<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn batch(&mut self, _: u64, indices: &[usize]) -> Result<Batch, ExamplesError> {
        let rows: Vec<usize> = indices.iter().map(|index| self.rows[*index]).collect();
        let labels: Vec<u32> = rows.iter().map(|row| self.truth[*row]).collect();
        let count = rows.len();
        let values = StoredImages::rows(self.view, self.preprocessing, rows)?.read(0..count)?;
        let targets = match self.teacher {
            None => Targets::Labels(labels),
            Some((teacher, share, classes)) => {
                let mut soft = softmax(teacher.logits(values.clone())?, classes)?;
                for (mut row, label) in soft.outer_iter_mut().zip(&labels) {
                    row *= share as f32;
                    row[*label as usize] += (1.0 - share) as f32;
                }
                Targets::Soft(soft)
            }
        };
        let [one, two, three] = self.image;
        Ok(Batch { images: ArrayD::from_shape_vec(IxDyn(&[count, one, two, three]), values)?, targets })
    }
}

/// Probabilities `[N, M]` of logits.
pub(super) fn softmax(logits: Vec<f32>, classes: usize) -> Result<Array2<f32>, ExamplesError> {
    let rows = logits.len().checked_div(classes).unwrap_or_default();
    let mut probabilities = Array2::from_shape_vec((rows, classes), logits)?;
    for mut row in probabilities.outer_iter_mut() {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.mapv_inplace(|logit| (logit - highest).exp());
        let sum: f32 = row.sum();
        row /= sum;
    }
    Ok(probabilities)
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn rows_become_probabilities() {
        let soft = softmax(vec![0.0, 0.0, 1000.0, 0.0], 2).unwrap();
        assert_eq!(soft.as_slice().unwrap(), [0.5, 0.5, 1.0, 0.0]);
    }
}
