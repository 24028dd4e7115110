//! One look at every image.

use std::ops::ControlFlow;

use super::{Examples, Position, StepReport, Trainer, order};
use crate::error::TrainingError;
use crate::mode::BatchNorm;

/// What an epoch did, or has done so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochReport {
    /// Epochs before it.
    pub epoch: u64,
    /// Images seen in it.
    pub images: u64,
    /// Mean over these of the cross entropy just before they were learned from, in nats.
    pub mean_loss: f64,
    /// Whether all images were seen; false when the watcher broke off.
    pub finished: bool,
}

impl Trainer {
    /// Goes on to the end of the current epoch, telling `watch` of every step; a break stops after that step,
    /// and the next call goes on with the next one.
    ///
    /// The order of the images is a function of the seed and the number of the epoch. A last batch with fewer
    /// images than the others is a step as well; a single image joins the batch before it where batch
    /// normalisation takes its statistics from the batch.
    ///
    /// # Errors
    /// [`TrainingError::TooFewImages`]; [`TrainingError::OtherTraining`] when an epoch was begun with another
    /// count of images; [`TrainingError::Examples`]; and the errors of a step.
    pub fn run_epoch(
        &mut self,
        examples: &mut dyn Examples,
        mut watch: impl FnMut(&StepReport) -> ControlFlow<()>,
    ) -> Result<EpochReport, TrainingError> {
        let images = examples.len();
        let company = self.recipe.mode.batch_norm == BatchNorm::Train;
        match images {
            0 => {
                return Err(TrainingError::TooFewImages {
                    found: 0,
                    reason: "there is nothing to learn from",
                });
            }
            1 if company => {
                let reason = "batch normalisation in training needs two to compare";
                return Err(TrainingError::TooFewImages { found: 1, reason });
            }
            _ => {}
        }
        if self.position.batch > 0 && self.position.images != images as u64 {
            let what = format!("the count of images ({} then, {images} now)", self.position.images);
            return Err(TrainingError::OtherTraining { what });
        }
        let order = order::shuffled(images, self.recipe.seed, self.position.epoch);
        let batches = order::batches(images, self.recipe.batch.get(), company);
        self.position.images = images as u64;
        self.position.batches = batches.len() as u64;
        let done = usize::try_from(self.position.batch).unwrap_or(usize::MAX);
        for range in batches.into_iter().skip(done) {
            let batch =
                examples.batch(self.position.epoch, &order[range]).map_err(TrainingError::Examples)?;
            let report = self.step(&batch)?;
            self.position.batch += 1;
            self.position.loss_sum += report.loss * report.images as f64;
            self.position.seen += report.images as u64;
            if watch(&report).is_break() {
                break;
            }
        }
        let Position { epoch, batch, batches, loss_sum, seen, .. } = self.position;
        let finished = batch == batches;
        let report = EpochReport { epoch, images: seen, mean_loss: loss_sum / seen.max(1) as f64, finished };
        if finished {
            let Position { step, images, .. } = self.position;
            self.position = Position { epoch: epoch + 1, step, images, batches, ..Position::default() };
        }
        Ok(report)
    }
}
