//! Activation shift: are the channels that clean images use livelier than clean images make them?

use ndarray::{Array1, ArrayView3, Axis};

use crate::bank::OverlayBank;
use crate::classifier::SplitClassifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward;
use crate::input::PlaneShape;

/// Channels that are looked at unless told otherwise.
pub const CHANNELS: usize = 20;

/// Minus the mean, over the channels of highest clean activation, of how far an input's mean activation lies above
/// the clean one, at the cut. One prefix pass.
///
/// Sound only with a calibration: the fixed threshold that older tools use flags a sixth to a third of clean images.
#[derive(Debug, Clone)]
pub struct ActivationShift {
    plane: PlaneShape,
    /// Channel, and its mean activation over clean images.
    clean: Vec<(usize, f64)>,
}

impl ActivationShift {
    /// The detector by the `channels` channels that are strongest over the clean images of a bank. Runs the bank.
    pub fn of<C: SplitClassifier + ?Sized>(
        classifier: &C,
        bank: &OverlayBank,
        channels: usize,
    ) -> Result<Self, DetectionError<C::Error>> {
        let plane = classifier.activation_shape();
        let activations = forward::prefix(classifier, bank.images())?;
        let mut means = Array1::<f64>::zeros(plane.channels);
        for activation in activations.axis_iter(Axis(0)) {
            means += &pooled(activation, plane);
        }
        means /= activations.len_of(Axis(0)).max(1) as f64;
        let mut clean: Vec<(usize, f64)> = means.into_iter().enumerate().collect();
        clean.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        clean.truncate(channels.max(1));
        Ok(Self { plane, clean })
    }
}

impl<C: SplitClassifier + ?Sized> Detector<C> for ActivationShift {
    fn passes(&self) -> Passes {
        Passes { full: 0, prefix: 1, suffix: 0 }
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        forward::check_activation(classifier, self.plane)?;
        let own = forward::prefix(classifier, subject.image().insert_axis(Axis(0)))?;
        let own = pooled(own.index_axis(Axis(0), 0), self.plane);
        let shift: f64 = self.clean.iter().map(|(channel, clean)| own[*channel] - clean).sum();
        let score = -shift / self.clean.len() as f64;
        if !score.is_finite() {
            return Err(DetectionError::ActivationNotFinite { value: score });
        }
        Ok(Reading::new(score, Detector::<C>::passes(self)))
    }
}

/// The mean activation `[C]` of each channel.
fn pooled(activation: ArrayView3<'_, f32>, plane: PlaneShape) -> Array1<f64> {
    let channels = activation.axis_iter(plane.layout.channel_axis());
    channels
        .map(|channel| channel.iter().map(|value| f64::from(*value)).sum::<f64>() / channel.len() as f64)
        .collect()
}
