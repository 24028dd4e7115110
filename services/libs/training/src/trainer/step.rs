//! One step: gradients of a batch, and the movement they cause.

use tch::Tensor;

use super::{Batch, Recipe, Trainer};
use crate::error::{At as _, TrainingError, Watched};
use crate::graph::{Network, Role};
use crate::loss;
use crate::mode::BatchNorm;
use crate::operators::{Noise, Pass};
use crate::optimizer::{Ascent, Movement, clip, norm};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Steps before this one, over all epochs.
    pub step: u64,
    /// Epochs before the current one.
    pub epoch: u64,
    /// Images in it.
    pub images: usize,
    /// Mean cross entropy of its batch before the step, in nats.
    pub loss: f64,
    /// Norm of all gradients together, before it was clipped.
    pub gradient_norm: f64,
    /// The step size.
    pub learning_rate: f64,
}

/// Loss and gradients of a batch.
pub(crate) struct Slope {
    pub(crate) loss: f64,
    /// In the order of the trained tensors.
    pub(crate) gradients: Vec<Tensor>,
}

/// The gradients of a batch, for every trained tensor.
pub(crate) fn slope(
    network: &Network,
    batch: &Batch,
    smoothing: f64,
    pass: &Pass,
) -> Result<Slope, TrainingError> {
    let images = network.images(&batch.images.view())?;
    let logits = network.run(&images, pass)?;
    let loss = loss::cross_entropy(&logits, &batch.targets, network.description().classes, smoothing)?;
    let weights: Vec<&Tensor> = network.trained().map(|(_, tensor)| tensor).collect();
    let place = "the gradients";
    let found = Tensor::f_run_backward(&[&loss], &weights, false, false).at(place)?;
    let pairs = found.into_iter().zip(weights);
    // A weight that has no influence at all, as behind a mask of zeros, has no gradient.
    let gradients = pairs
        .map(
            |(gradient, weight)| {
                if gradient.defined() { Ok(gradient) } else { weight.f_detach()?.f_zeros_like() }
            },
        )
        .collect::<Result<_, _>>()
        .at(place)?;
    Ok(Slope { loss: loss.f_double_value(&[]).at(place)?, gradients })
}

impl Trainer {
    /// One step on this batch, whatever batch it is; [`run_epoch`](Self::run_epoch) chooses them itself.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`], after which weights and statistics are what they were before the step, and
    /// all that can be wrong with a batch.
    pub fn step(&mut self, batch: &Batch) -> Result<StepReport, TrainingError> {
        let before = self.statistics()?;
        let report = self.try_step(batch);
        if report.is_err() {
            let _no_gradients = tch::no_grad_guard();
            for (mut statistic, value) in before {
                statistic.f_copy_(&value).at("putting statistics back")?;
            }
        }
        report
    }

    /// The stored statistics that a step would change, and copies of them.
    fn statistics(&self) -> Result<Vec<(Tensor, Tensor)>, TrainingError> {
        if self.recipe.mode.batch_norm == BatchNorm::Frozen {
            return Ok(Vec::new());
        }
        let running = |role| matches!(role, Role::RunningMean | Role::RunningVariance);
        let stored = self.network.stored().filter(|(parameter, _)| running(parameter.role));
        stored
            .map(|(_, tensor)| Ok((tensor.shallow_clone(), tensor.f_mul_scalar(1.0)?)))
            .collect::<Result<_, _>>()
            .at("copying statistics")
    }

    fn try_step(&mut self, batch: &Batch) -> Result<StepReport, TrainingError> {
        let Recipe { label_smoothing, mode, seed, .. } = self.recipe;
        let noise = Noise { seed, step: self.position.step };
        let pass = |follows| Pass::training(mode, noise, follows);
        let mut slope = slope(&self.network, batch, label_smoothing, &pass(true))?;
        let loss = self.finite(Watched::Loss, slope.loss)?;
        if let Some(radius) = self.recipe.sharpness_radius {
            self.finite(Watched::GradientNorm, norm(&slope.gradients).at("the norm")?)?;
            slope = self.slope_above(batch, &slope, radius, &pass(false))?;
            self.finite(Watched::Loss, slope.loss)?;
        }
        if let Some(shift) = &self.shift {
            shift.push(&self.network, &mut slope.gradients)?;
        }
        let gradient_norm = norm(&slope.gradients).at("the norm")?;
        self.finite(Watched::GradientNorm, gradient_norm)?;
        let gradients = match self.recipe.longest_gradient {
            Some(longest) => clip(slope.gradients, gradient_norm, longest).at("clipping")?,
            None => slope.gradients,
        };
        let rate = self.recipe.learning_rate * self.recipe.schedule.share(self.epochs_done());
        let movement = Movement { optimizer: self.recipe.optimizer, rate, count: self.position.step };
        self.apply(&movement, &gradients)?;
        if let Some(shift) = &self.shift {
            shift.rescale(&self.network)?;
        }
        let report = StepReport {
            step: self.position.step,
            epoch: self.position.epoch,
            images: batch.images.shape().first().copied().unwrap_or_default(),
            loss,
            gradient_norm,
            learning_rate: rate,
        };
        self.position.step += 1;
        Ok(report)
    }

    /// The gradients where the loss is worst nearby.
    fn slope_above(
        &self,
        batch: &Batch,
        here: &Slope,
        radius: f64,
        pass: &Pass,
    ) -> Result<Slope, TrainingError> {
        let weights: Vec<Tensor> = self.network.trained().map(|(_, tensor)| tensor.shallow_clone()).collect();
        let ascent = Ascent::climb(&weights, &here.gradients, radius).at("the worst place nearby")?;
        let above = slope(&self.network, batch, self.recipe.label_smoothing, pass);
        ascent.descend().at("the way back from the worst place nearby")?;
        above
    }

    fn apply(&mut self, movement: &Movement, gradients: &[Tensor]) -> Result<(), TrainingError> {
        let _no_gradients = tch::no_grad_guard();
        let trained = self.network.trained().zip(gradients).zip(&mut self.memories);
        for (((parameter, weight), gradient), memory) in trained {
            let decay = self.recipe.decay_of(parameter.role);
            movement.apply(weight, gradient, decay, memory).at(&parameter.name)?;
        }
        Ok(())
    }

    fn finite(&self, what: Watched, value: f64) -> Result<f64, TrainingError> {
        let (step, epoch) = (self.position.step, self.position.epoch);
        if value.is_finite() { Ok(value) } else { Err(TrainingError::NotFinite { what, value, step, epoch }) }
    }
}
