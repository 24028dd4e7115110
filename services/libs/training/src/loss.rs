//! What training makes small: the cross entropy between the answers and what they should be.

use ndarray::Array2;
use tch::{Reduction, Tensor};

use crate::array;
use crate::error::{At as _, TrainingError};

/// What a network should answer for a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// The class of each image.
    Labels(Vec<u32>),
    /// The probability of each class for each image, `[N, M]`, rows that sum to one: the answers of another
    /// network that this one is to give as well (distillation).
    Soft(Array2<f32>),
}

/// The mean over a batch of the cross entropy, in nats; `smoothing` of every target is spread evenly over all
/// classes (Szegedy et al., CVPR 2016).
pub(crate) fn cross_entropy(
    logits: &Tensor,
    targets: &Targets,
    classes: u64,
    smoothing: f64,
) -> Result<Tensor, TrainingError> {
    let place = "the loss";
    let rows = usize::try_from(logits.size().first().copied().unwrap_or_default()).unwrap_or_default();
    let target = match targets {
        Targets::Labels(labels) => {
            check_rows(vec![labels.len()], rows, format!("[{rows}]"))?;
            let outside = labels.iter().enumerate().find(|(_, label)| u64::from(**label) >= classes);
            if let Some((index, label)) = outside {
                return Err(TrainingError::Label { index, label: *label, classes });
            }
            let labels: Vec<i64> = labels.iter().map(|label| i64::from(*label)).collect();
            Tensor::f_from_slice(&labels).and_then(|labels| labels.f_to_device(logits.device())).at(place)?
        }
        Targets::Soft(probabilities) => {
            let fits = probabilities.ncols() as u64 == classes;
            let rows = if fits { rows } else { usize::MAX };
            check_rows(probabilities.shape().to_vec(), rows, format!("[N, {classes}]"))?;
            let torch = (logits.kind(), logits.device());
            array::to_tensor(&probabilities.view().into_dyn(), torch).at(place)?
        }
    };
    logits.f_cross_entropy_loss(&target, None::<&Tensor>, Reduction::Mean, -100, smoothing).at(place)
}

fn check_rows(found: Vec<usize>, rows: usize, expected: String) -> Result<(), TrainingError> {
    if found.first() == Some(&rows) {
        Ok(())
    } else {
        Err(TrainingError::Shape { what: "the batch of targets", found, expected })
    }
}
