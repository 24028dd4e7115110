//! The hosts: clean images that parts of inputs are pasted onto.

use std::collections::HashMap;
use std::sync::Arc;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array4, Axis};

use crate::bank::{BankError, OverlayBank};
use crate::classifier::Classifier;
use crate::detector::DetectionError;
use crate::draw::permutation;
use crate::forward;
use crate::input::InputSpace;

/// Fewer hosts than this lose cases.
pub const MIN_HOSTS: usize = 5;

/// Why images cannot be hosts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HostError<E> {
    /// The network could not be run on them, or answered nonsense.
    #[error(transparent)]
    Detection(#[from] DetectionError<E>),
    /// They make no bank.
    #[error(transparent)]
    Bank(#[from] BankError),
    /// There are too few.
    #[error(
        "{found} hosts of different, correctly predicted classes where {needed} are due: give clean \
         images of more classes"
    )]
    TooFew {
        /// Hosts that could be found.
        found: usize,
        /// Hosts due.
        needed: usize,
    },
    /// Two hosts are of one class.
    #[error("hosts {first} and {second} are both of class {class}: every host needs a class of its own")]
    RepeatedClass {
        /// The class.
        class: usize,
        /// The earlier host.
        first: usize,
        /// The later host.
        second: usize,
    },
    /// The network does not see a host's class in it.
    #[error(
        "the network takes host {host} of class {label} for class {prediction}: hosts must be predicted \
         correctly"
    )]
    WrongPrediction {
        /// Which host.
        host: usize,
        /// Its known class.
        label: usize,
        /// What the network says.
        prediction: usize,
    },
}

impl<E: Coded> Coded for HostError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Detection(error) => error.code(),
            Self::Bank(error) => error.code(),
            Self::TooFew { .. } | Self::RepeatedClass { .. } | Self::WrongPrediction { .. } => {
                ErrorCode::DatasetInvalid
            }
        }
    }
}

/// At least [`MIN_HOSTS`] clean images of different classes that the network predicts correctly, in fixed
/// order.
///
/// They must come from the domain of the inputs, and none may be calibrated with or judged.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBank(Arc<OverlayBank>);

impl HostBank {
    /// Takes a bank for hosts after running the network on all of them.
    pub fn verified<C: Classifier + ?Sized>(
        classifier: &C,
        bank: Arc<OverlayBank>,
    ) -> Result<Self, HostError<C::Error>> {
        if bank.len() < MIN_HOSTS {
            return Err(HostError::TooFew { found: bank.len(), needed: MIN_HOSTS });
        }
        let mut seen = HashMap::new();
        for (second, class) in bank.labels().iter().copied().enumerate() {
            if let Some(first) = seen.insert(class, second) {
                return Err(HostError::RepeatedClass { class, first, second });
            }
        }
        let answers = forward::logits(classifier, bank.images().to_owned())?;
        for (host, label) in bank.labels().iter().copied().enumerate() {
            let prediction = answers.class(host);
            if prediction != label {
                return Err(HostError::WrongPrediction { host, label, prediction });
            }
        }
        Ok(Self(bank))
    }

    /// Draws `count` hosts, at least [`MIN_HOSTS`], by seed among clean images `[N, ...]` with their known
    /// classes: going through them in drawn order, each that is predicted correctly and of a class not taken
    /// yet.
    ///
    /// Gives the hosts and the rows they came from, which may serve nothing else than blending.
    pub fn drawn<C: Classifier + ?Sized>(
        classifier: &C,
        space: InputSpace,
        images: &Array4<f32>,
        labels: &[usize],
        count: usize,
        seed: u64,
    ) -> Result<(Self, Vec<usize>), HostError<C::Error>> {
        // A bank of all of them would refuse repeated images, which are no harm among candidates.
        if labels.len() != images.len_of(Axis(0)) {
            let (images, labels) = (images.len_of(Axis(0)), labels.len());
            return Err(BankError::Labels { images, labels }.into());
        }
        if count < MIN_HOSTS {
            return Err(HostError::TooFew { found: count, needed: MIN_HOSTS });
        }
        if labels.len() < count {
            return Err(HostError::TooFew { found: labels.len(), needed: count });
        }
        let answers = forward::logits(classifier, images.as_standard_layout().into_owned())?;
        let mut taken = HashMap::new();
        for row in permutation(labels.len(), seed) {
            if taken.len() < count && answers.class(row) == labels[row] {
                let order = taken.len();
                taken.entry(labels[row]).or_insert((order, row));
            }
        }
        if taken.len() < count {
            return Err(HostError::TooFew { found: taken.len(), needed: count });
        }
        let mut chosen: Vec<(usize, usize)> = taken.into_values().collect();
        chosen.sort_unstable();
        let rows: Vec<usize> = chosen.into_iter().map(|(_, row)| row).collect();
        let host_labels = rows.iter().map(|row| labels[*row]).collect();
        let bank = OverlayBank::new(space, images.select(Axis(0), &rows), host_labels)?;
        Ok((Self(Arc::new(bank)), rows))
    }

    /// The images; the hosts may serve as overlays too.
    pub const fn bank(&self) -> &Arc<OverlayBank> {
        &self.0
    }

    /// The hosts on which margins of `class` count: those of another class, which the network sees in them.
    pub(crate) fn allowed<E>(&self, class: usize) -> Result<Vec<usize>, DetectionError<E>> {
        let labels = self.0.labels().iter().enumerate();
        let allowed: Vec<usize> =
            labels.filter(|(_, label)| **label != class).map(|(host, _)| host).collect();
        if allowed.is_empty() {
            return Err(DetectionError::OneClass { class, overlays: self.0.len() });
        }
        Ok(allowed)
    }
}
