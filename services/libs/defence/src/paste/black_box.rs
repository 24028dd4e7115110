//! Region paste with whole forward passes.

use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward;
use crate::input::PlaneShape;
use crate::paste::{HostBank, collages, mean_margins, winner};
use crate::region::{Evidence, Region, RegionError, RegionShape};

/// Minus the highest, over all regions, mean margin of y' over hosts that carry the region of the input.
///
/// Takes regions x hosts passes; the winning region is the evidence. Finds triggers that fit a region; global
/// blends, warps and triggers that need their source class are for other detectors.
#[derive(Debug, Clone)]
pub struct RegionPaste {
    hosts: HostBank,
    regions: Vec<Region>,
}

impl RegionPaste {
    /// The detector with regions of this shape.
    pub fn new(hosts: HostBank, shape: RegionShape) -> Result<Self, RegionError> {
        let PlaneShape { height, width, .. } = hosts.bank().space().shape();
        Ok(Self { hosts, regions: shape.regions(height, width)? })
    }

    /// The regions, in the order in which equals win.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }
}

impl<C: Classifier + ?Sized> Detector<C> for RegionPaste {
    fn passes(&self) -> Passes {
        Passes::full(self.regions.len() * self.hosts.bank().len())
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        paste(classifier, subject, &self.hosts, &self.regions)
    }
}

/// Pastes these regions, of which there is at least one.
pub(super) fn paste<C: Classifier + ?Sized>(
    classifier: &C,
    subject: &Subject,
    hosts: &HostBank,
    regions: &[Region],
) -> Result<Reading, DetectionError<C::Error>> {
    forward::check_shape(subject.image(), hosts.bank())?;
    let PlaneShape { layout, height, width, .. } = hosts.bank().space().shape();
    let allowed = hosts.allowed(subject.class())?;
    let copies = collages(layout, subject.image(), hosts.bank().images(), &allowed, regions);
    let answers = forward::logits(classifier, copies)?;
    let means = mean_margins(&answers, subject.class(), allowed.len());
    Ok(reading(winner(regions, &means), height, width, Passes::full(answers.rows())))
}

/// The reading that follows from a winning region of a plane and its margin.
pub(super) fn reading(
    (region, margin): (Region, f64),
    height: usize,
    width: usize,
    passes: Passes,
) -> Reading {
    Reading { evidence: Some(Evidence { region, height, width }), ..Reading::new(-margin, passes) }
}
