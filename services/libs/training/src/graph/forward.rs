//! Running a network, and the masks that hold channels at zero.

use ndarray::ArrayViewD;
use tch::Tensor;

use gifthorse_network::Layout;

use super::Network;
use super::compile::Source;
use crate::array;
use crate::error::{At as _, TrainingError};
use crate::operators::{Inputs, Pass, Value};

impl Network {
    /// Images as a tensor, after a look at their shape.
    pub(crate) fn images(&self, images: &ArrayViewD<'_, f32>) -> Result<Tensor, TrainingError> {
        let description = self.description();
        let [height, width, channels] = [description.height, description.width, description.channels];
        let sizes = match description.layout {
            Layout::Nhwc => [height, width, channels],
            Layout::Nchw => [channels, height, width],
        };
        let fits = images.ndim() == 4
            && images.shape()[0] > 0
            && images.shape()[1..].iter().zip(sizes).all(|(found, size)| *found as u64 == size);
        if !fits {
            return Err(TrainingError::Shape {
                what: "the batch of images",
                found: images.shape().to_vec(),
                expected: format!("[N, {}, {}, {}]", sizes[0], sizes[1], sizes[2]),
            });
        }
        let place = "reading images";
        let tensor = array::to_tensor(images, self.torch()).at(place)?;
        if description.layout == Layout::Nchw && self.options().channels_last {
            return array::channels_last(&tensor).at(place);
        }
        Ok(tensor)
    }

    /// The logits of a batch, `[N, M]`.
    pub(crate) fn run(&self, images: &Tensor, pass: &Pass) -> Result<Tensor, TrainingError> {
        let mut made = self.run_to(images, &[self.logits], pass)?;
        made.pop().ok_or_else(|| missing(&self.description().logits))
    }

    /// The place of the step that makes a tensor.
    pub(crate) fn place_of(&self, tensor: &str) -> Result<usize, TrainingError> {
        let place = self.steps.iter().position(|step| step.tensor == tensor);
        place.ok_or_else(|| missing(tensor))
    }

    /// What the steps of these places make of a batch; nothing behind the last of them is run.
    pub(crate) fn run_to(
        &self,
        images: &Tensor,
        wanted: &[usize],
        pass: &Pass,
    ) -> Result<Vec<Tensor>, TrainingError> {
        let image = Value::Tensor(images.shallow_clone());
        let last = wanted.iter().copied().max().unwrap_or_default();
        let mut made: Vec<Option<Value>> = Vec::with_capacity(self.steps.len());
        let mut kept: Vec<Option<Tensor>> = wanted.iter().map(|_| None).collect();
        for (place, step) in self.steps.iter().enumerate().take(last + 1) {
            let inputs = step.inputs.iter().map(|source| match source {
                None => None,
                Some(Source::Image) => Some(&image),
                Some(Source::Stored(place)) => Some(&self.parameters[*place].value),
                Some(Source::Made(place)) => made[*place].as_ref(),
            });
            let value = step.operator.run(&Inputs(inputs.collect()), pass).at(&step.tensor)?;
            let value = match (value, &step.mask) {
                (Value::Tensor(tensor), Some(mask)) => Value::Tensor(tensor.f_mul(mask).at(&step.tensor)?),
                (value, _) => value,
            };
            if let Value::Tensor(tensor) = &value {
                for (kept, _) in kept.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted == place) {
                    *kept = Some(tensor.shallow_clone());
                }
            }
            made.push(Some(value));
            for used_up in &step.used_up {
                made[*used_up] = None;
            }
        }
        let name = |place: usize| self.steps.get(place).map_or("", |step| &step.tensor);
        kept.into_iter().zip(wanted).map(|(kept, place)| kept.ok_or_else(|| missing(name(*place)))).collect()
    }

    /// Holds channels of an activation `[N, C, H, W]` at zero, from now on and in what is written: true keeps a
    /// channel. The mask is applied to the tensor itself, so name one behind normalisation and activation
    /// function: a zeroed kernel alone would leave the shift of a batch normalisation.
    ///
    /// # Errors
    /// [`TrainingError::NoSuchTensor`] when no node makes the tensor; a mask of another length than the
    /// tensor has channels is noticed when the network is run.
    pub fn mask_channels(&mut self, tensor: &str, kept: &[bool]) -> Result<(), TrainingError> {
        let torch = self.torch();
        let place = self.place_of(tensor)?;
        let step = &mut self.steps[place];
        let values: Vec<f32> = kept.iter().map(|kept| if *kept { 1.0 } else { 0.0 }).collect();
        let values = ndarray::ArrayView4::from_shape((1, values.len(), 1, 1), &values)
            .map(|values| array::to_tensor(&values.into_dyn(), torch));
        step.mask = values.ok().transpose().at(tensor)?;
        Ok(())
    }

    /// Takes all masks away. What was masked is what its weights make of it again.
    pub fn clear_masks(&mut self) {
        for step in &mut self.steps {
            step.mask = None;
        }
    }

    /// The masks that are in force: the tensor, and its channels, true where kept.
    pub fn masks(&self) -> Result<Vec<(String, Vec<bool>)>, TrainingError> {
        let masked = self.steps.iter().filter_map(|step| step.mask.as_ref().map(|mask| (&step.tensor, mask)));
        masked
            .map(|(tensor, mask)| {
                let values = array::values(mask).at(tensor)?;
                Ok((tensor.clone(), values.into_iter().map(|value| value > 0.5).collect()))
            })
            .collect()
    }
}

fn missing(tensor: &str) -> TrainingError {
    TrainingError::NoSuchTensor { what: "activation", name: tensor.to_owned() }
}
