//! Region paste of the few regions that the answer leans on most.

use ndarray::{Array4, Axis};

use crate::classifier::Classifier;
use crate::detector::{DetectionError, Detector, Passes, Reading, Subject};
use crate::forward;
use crate::input::PlaneShape;
use crate::paste::{HostBank, black_box};
use crate::region::{Region, RegionError, RegionShape, mean_colour};

/// Regions that are pasted after all were covered.
const PASTED: usize = 2;

/// Region paste in fewer passes: every region is covered with the hosts' mean colour, and only the two
/// without which y' has the lowest margins are pasted onto the hosts.
///
/// Takes regions + 2 x hosts passes.
#[derive(Debug, Clone)]
pub struct OcclusionGuidedPaste {
    hosts: HostBank,
    regions: Vec<Region>,
    colour: Vec<f32>,
}

impl OcclusionGuidedPaste {
    /// The detector with regions of this shape.
    pub fn new(hosts: HostBank, shape: RegionShape) -> Result<Self, RegionError> {
        let PlaneShape { layout, height, width, .. } = hosts.bank().space().shape();
        let colour = mean_colour(layout, hosts.bank().images());
        Ok(Self { regions: shape.regions(height, width)?, colour, hosts })
    }
}

impl<C: Classifier + ?Sized> Detector<C> for OcclusionGuidedPaste {
    fn passes(&self) -> Passes {
        Passes::full(self.regions.len() + PASTED.min(self.regions.len()) * self.hosts.bank().len())
    }

    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>> {
        forward::check_shape(subject.image(), self.hosts.bank())?;
        let layout = self.hosts.bank().space().shape().layout;
        let [first, second, third] = self.hosts.bank().space().shape().axes();
        let mut covered = Array4::zeros((self.regions.len(), first, second, third));
        for (region, mut copy) in self.regions.iter().zip(covered.axis_iter_mut(Axis(0))) {
            copy.assign(&subject.image());
            region.cover(layout, &self.colour, copy);
        }
        let answers = forward::logits(classifier, covered)?;
        let mut ranked: Vec<(usize, f64)> =
            (0..answers.rows()).map(|row| (row, answers.margin(row, subject.class()))).collect();
        // The sort is stable: of equals the first region comes first.
        ranked.sort_by(|one, other| one.1.total_cmp(&other.1));
        let suspects: Vec<Region> = ranked.iter().take(PASTED).map(|(row, _)| self.regions[*row]).collect();
        let pasted = black_box::paste(classifier, subject, &self.hosts, &suspects)?;
        Ok(Reading { passes: pasted.passes + Passes::full(answers.rows()), ..pasted })
    }
}
