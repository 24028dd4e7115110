//! The figures of a repair.

mod maps;
mod prune_curve;
mod trainings;

use crate::error::ReportError;
use crate::figures::Figure;
use crate::names::FileNames;
use crate::repair::RepairRecord;

/// The figures of a repair, by the part of the page they belong to.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What pruning did to the answers; none without a curve.
    pub(super) prune_curve: Option<Figure>,
    /// What the layer puts out, on clean images and on each triggered set.
    pub(super) activation_maps: Vec<Figure>,
    /// How the trainings went; none without trainings.
    pub(super) training_curves: Option<Figure>,
}

impl Figures {
    /// Draws all that a record gives reason to draw.
    pub(super) fn of(record: &RepairRecord) -> Result<Self, ReportError> {
        let mut names = FileNames::default();
        Ok(Self {
            prune_curve: prune_curve::figure(record, &mut names)?,
            activation_maps: maps::figures(record, &mut names)?,
            training_curves: trainings::figure(record, &mut names)?,
        })
    }

    /// All of them, in the order of reading.
    pub(super) fn all(&self) -> impl Iterator<Item = &Figure> {
        self.prune_curve.iter().chain(&self.activation_maps).chain(&self.training_curves)
    }
}
