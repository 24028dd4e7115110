//! The band of an image that carries the suspect's answer: region paste, as the detectors do it.

use std::num::NonZeroUsize;

use gifthorse_defence::classifier::Classifier;
use gifthorse_defence::detector::{Detector as _, Subject};
use gifthorse_defence::input::{ChannelRange, InputSpace, Layout as PlaneLayout};
use gifthorse_defence::paste::{HostBank, MIN_HOSTS, RegionPaste};
use gifthorse_defence::region::RegionShape;
use gifthorse_network::Layout;
use ndarray::{Array2, Array4};

use super::super::material::Material;
use super::clean::Clean;
use super::found::Alarm;
use crate::engine::EngineFault;
use crate::pruning::{SweepError, WholeNetwork};

/// Hosts that bands are pasted onto, where there are so many.
const HOSTS: usize = 10;

/// The suspect as detectors see it.
struct Watched<'a> {
    network: &'a WholeNetwork,
    classes: usize,
}

impl Classifier for Watched<'_> {
    type Error = SweepError;

    fn classes(&self) -> usize {
        self.classes
    }

    fn max_rows(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.network.batch_rows()).unwrap_or(NonZeroUsize::MIN)
    }

    fn logits(&self, inputs: Array4<f32>) -> Result<Array2<f32>, SweepError> {
        let rows = inputs.dim().0;
        let logits = self.network.logits(inputs.into_iter().collect())?;
        Array2::from_shape_vec((rows, self.classes), logits).map_err(|error| SweepError::Answer {
            network: error.to_string(),
            part: "the whole",
            expected: rows * self.classes,
            found: 0,
        })
    }
}

/// Finds bands; none where the clean images give no hosts.
pub(super) struct Bands(Option<RegionPaste>);

impl Bands {
    /// Draws hosts among the clean images.
    pub(super) fn new(material: &Material, clean: &Clean, seed: u64) -> Result<Self, EngineFault> {
        let (height, width, channels) = clean.geometry.sides();
        let layout = match material.description.layout {
            Layout::Nhwc => PlaneLayout::ChannelsLast,
            Layout::Nchw => PlaneLayout::ChannelsFirst,
        };
        let ranges = (0..channels as usize).map(|channel| {
            let (black, white) = clean.range.of_channel(channel);
            ChannelRange { black, white: if white > black { white } else { black + 1.0 } }
        });
        let space = InputSpace::new(layout, height as usize, width as usize, ranges.collect())
            .map_err(|error| EngineFault::of(&error))?;
        let values = (0..clean.count()).flat_map(|place| clean.image(place).iter().copied()).collect();
        let images = clean.array(values)?.into_dimensionality();
        let Ok(images) = images else { return Ok(Self(None)) };
        let labels: Vec<usize> = clean.truth.iter().map(|class| *class as usize).collect();
        let watched = watched(material);
        let drawn = |count| HostBank::drawn(&watched, space.clone(), &images, &labels, count, seed);
        let Ok((hosts, _)) = drawn(HOSTS).or_else(|_| drawn(MIN_HOSTS)) else { return Ok(Self(None)) };
        let paste = RegionPaste::new(hosts, RegionShape::Bands).map_err(|error| EngineFault::of(&error))?;
        Ok(Self(Some(paste)))
    }

    /// What the suspect answers to an image, and which band carries it.
    pub(super) fn read(
        &self,
        material: &Material,
        clean: &Clean,
        image: &[f32],
    ) -> Result<Alarm, EngineFault> {
        let watched = watched(material);
        let fault = |error: &dyn std::fmt::Display| {
            EngineFault::internal(gifthorse_api::catalogue::ErrorCode::EngineFailed, error.to_string())
        };
        let images = clean.array(image.to_vec())?.into_dimensionality().map_err(|error| fault(&error))?;
        let subjects = Subject::of(&watched, images.view()).map_err(|error| fault(&error))?;
        let Some(subject) = subjects.first() else { return Err(fault(&"an image to unlearn is missing")) };
        let class = subject.class() as u32;
        // Hosts of the answer's own class alone say nothing.
        let reading = self.0.as_ref().and_then(|paste| paste.read(&watched, subject).ok());
        let band = reading.and_then(|reading| reading.evidence);
        Ok(Alarm { class, band: band.map(|evidence| (evidence.region.top, evidence.region.rows)) })
    }
}

fn watched(material: &Material) -> Watched<'_> {
    Watched { network: &material.suspect, classes: material.description.classes as usize }
}
