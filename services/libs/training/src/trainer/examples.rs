//! Where images and targets come from.

use ndarray::{ArrayD, ArrayViewD, Axis};

use crate::loss::Targets;

/// Images and what a network should answer for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[N, H, W, C]` or `[N, C, H, W]`, as the network takes them, scaled as its record says.
    pub images: ArrayD<f32>,
    /// N targets.
    pub targets: Targets,
}

/// What went wrong in reading examples.
pub type ExamplesError = Box<dyn std::error::Error + Send + Sync>;

/// A data set, read batch by batch. The same index must give the same bytes whenever it is asked for, or a
/// resumed training ends elsewhere; images that are augmented must be so by functions of index and epoch.
pub trait Examples {
    /// Count of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images of these numbers, in this order.
    ///
    /// # Errors
    /// Whatever went wrong in reading them; training stops with it.
    fn batch(&mut self, epoch: u64, indices: &[usize]) -> Result<Batch, ExamplesError>;
}

/// A data set in memory.
#[derive(Debug, Clone)]
pub struct InMemory {
    images: ArrayD<f32>,
    targets: Targets,
}

impl InMemory {
    /// Images `[N, ...]` and N targets.
    ///
    /// # Errors
    /// When there are not as many targets as images.
    pub fn new(images: ArrayD<f32>, targets: Targets) -> Result<Self, ExamplesError> {
        let count = match &targets {
            Targets::Labels(labels) => labels.len(),
            Targets::Soft(probabilities) => probabilities.nrows(),
        };
        let rows = images.shape().first().copied().unwrap_or_default();
        if rows == count {
            Ok(Self { images, targets })
        } else {
            Err(format!("there are {rows} images and {count} targets").into())
        }
    }

    /// All images.
    pub fn images(&self) -> ArrayViewD<'_, f32> {
        self.images.view()
    }
}

impl Examples for InMemory {
    fn len(&self) -> usize {
        self.images.shape().first().copied().unwrap_or_default()
    }

    fn batch(&mut self, _: u64, indices: &[usize]) -> Result<Batch, ExamplesError> {
        let targets = match &self.targets {
            Targets::Labels(labels) => Targets::Labels(indices.iter().map(|index| labels[*index]).collect()),
            Targets::Soft(probabilities) => Targets::Soft(probabilities.select(Axis(0), indices)),
        };
        Ok(Batch { images: self.images.select(Axis(0), indices), targets })
    }
}
