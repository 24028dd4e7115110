//! A whole network on the engine, from images to answers.

use bytes::Bytes;
use gifthorse_engine::{Engine, InferRequest, Model, ModelOptions, NamedTensor, Tensor};
use gifthorse_network::surgery::expose_logits;
use gifthorse_network::{Layout, NetworkDescription};

use super::error::SweepError;
use super::network::{RunOptions, classes_of};

/// A network that answers classes.
#[derive(Debug)]
pub struct WholeNetwork {
    name: String,
    model: Model,
    input: String,
    image: [usize; 3],
    classes: usize,
    batch_rows: usize,
}

impl WholeNetwork {
    /// Loads a network that is described like this. Blocks, and panics inside an async runtime.
    pub fn load(
        engine: &Engine,
        name: &str,
        onnx: &[u8],
        description: &NetworkDescription,
        options: RunOptions,
    ) -> Result<Self, SweepError> {
        let batch_rows = if description.dynamic_batch { options.batch_rows.get() } else { 1 };
        let rows = std::num::NonZeroUsize::new(batch_rows).unwrap_or(std::num::NonZeroUsize::MIN);
        let model_options = ModelOptions {
            max_batch_rows: rows,
            queue_rows: rows,
            execution: options.execution,
            ..ModelOptions::new(name.to_owned())
        };
        let logits = expose_logits(onnx, description)?;
        let NetworkDescription { height, width, channels, .. } = *description;
        let image = match description.layout {
            Layout::Nhwc => [height, width, channels],
            Layout::Nchw => [channels, height, width],
        };
        Ok(Self {
            name: name.to_owned(),
            model: engine.load_blocking(Bytes::from(logits), model_options)?,
            input: description.input.clone(),
            image: image.map(|side| side as usize),
            classes: description.classes as usize,
            batch_rows,
        })
    }

    /// Images that go into one run.
    pub const fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// The axes of one image, as the network lays it out.
    pub const fn image(&self) -> [usize; 3] {
        self.image
    }

    /// The logits `[N, M]`, row-major, of prepared images `[N, ...]`.
    ///
    /// # Errors
    /// [`SweepError::Images`] when they are of another size, [`SweepError::NotFinite`] when a logit is none.
    pub fn logits(&self, images: Vec<f32>) -> Result<Vec<f32>, SweepError> {
        let pixels: usize = self.image.iter().product();
        let rows = images.len().checked_div(pixels).unwrap_or_default();
        if rows == 0 || rows * pixels != images.len() {
            let found = images.len().checked_div(rows.max(1)).unwrap_or_default();
            return Err(SweepError::Images { expected: self.image, found });
        }
        let shape = [rows as u64].into_iter().chain(self.image.map(|side| side as u64)).collect();
        let tensor = Tensor::from_f32(shape, images);
        let mut answers = self
            .model
            .infer_blocking(InferRequest::new(vec![NamedTensor { name: self.input.clone(), tensor }]))?;
        let logits = answers.pop().map(|logits| logits.tensor);
        let logits = logits.as_ref().map(Tensor::to_f32).transpose()?.unwrap_or_default().into_owned();
        let expected = rows * self.classes;
        if logits.len() != expected {
            let (network, part, found) = (self.name.clone(), "the whole", logits.len());
            return Err(SweepError::Answer { network, part, expected, found });
        }
        Ok(logits)
    }

    /// The class that follows for each image: the one with the highest logit, the first of equals.
    ///
    /// # Errors
    /// Those of [`logits`](Self::logits).
    pub fn answers(&self, images: Vec<f32>) -> Result<Vec<u32>, SweepError> {
        classes_of(&self.name, &self.logits(images)?, self.classes)
    }
}
