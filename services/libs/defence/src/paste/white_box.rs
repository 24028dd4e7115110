//! Region paste inside the network, at one activation.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array4, Axis};

use crate::classifier::SplitClassifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward;
use crate::input::PlaneShape;
use crate::paste::{HostBank, black_box, collages, mean_margins, winner};
use crate::region::{Region, RegionError, RegionShape};

/// Why a white-box paste cannot be set up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WhiteBoxError<E> {
    /// The hosts could not be run up to the cut.
    #[error(transparent)]
    Detection(#[from] DetectionError<E>),
    /// The regions do not fit the activation.
    #[error(transparent)]
    Region(#[from] RegionError),
}

impl<E: Coded> Coded for WhiteBoxError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Detection(error) => error.code(),
            Self::Region(error) => error.code(),
        }
    }
}

/// Region paste at the activation where a network is cut: regions of the input's activation over the hosts'
/// activations. One prefix pass, then regions x hosts suffix passes.
///
/// The activations of the hosts are kept, so a detector belongs to the network it was made with. The evidence
/// is a region of the activation.
#[derive(Debug, Clone)]
pub struct WhiteBoxPaste {
    hosts: HostBank,
    activations: Array4<f32>,
    plane: PlaneShape,
    regions: Vec<Region>,
}

impl WhiteBoxPaste {
    /// The detector with regions of this shape; for small activations
    /// [`RegionShape::Rows`]`{ rows: 2, step: 1 }`. Runs the hosts up to the cut.
    pub fn new<C: SplitClassifier + ?Sized>(
        classifier: &C,
        hosts: HostBank,
        shape: RegionShape,
    ) -> Result<Self, WhiteBoxError<C::Error>> {
        let plane = classifier.activation_shape();
        let regions = shape.regions(plane.height, plane.width)?;
        let activations = forward::prefix(classifier, hosts.bank().images())?;
        Ok(Self { hosts, activations, plane, regions })
    }
}

impl<C: SplitClassifier + ?Sized> Detector<C> for WhiteBoxPaste {
    fn passes(&self) -> Passes {
        Passes { full: 0, prefix: 1, suffix: self.regions.len() * self.hosts.bank().len() }
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        forward::check_shape(subject.image(), self.hosts.bank())?;
        forward::check_activation(classifier, self.plane)?;
        let allowed = self.hosts.allowed(subject.class())?;
        let own = forward::prefix(classifier, subject.image().insert_axis(Axis(0)))?;
        let own = own.index_axis(Axis(0), 0);
        let copies = collages(self.plane.layout, own, self.activations.view(), &allowed, &self.regions);
        let answers = forward::suffix(classifier, copies)?;
        let means = mean_margins(&answers, subject.class(), allowed.len());
        let passes = Passes { full: 0, prefix: 1, suffix: answers.rows() };
        Ok(black_box::reading(winner(&self.regions, &means), self.plane.height, self.plane.width, passes))
    }
}
