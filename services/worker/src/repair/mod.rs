//! The engine: fine-pruning of one network, from its file to a repaired one with a report.
//!
//! | stage | file | what it does |
//! |---|---|---|
//! | load | [`material`] | opens network and images, divides the clean ones |
//! | baseline | [`baseline`] | answers of the suspect to every image |
//! | rank | [`rank`] | mean activation of every channel of the layer |
//! | prune | [`prune`] | clean accuracy and attack success along the whole ranking |
//! | choose | [`choose`] | how many channels go |
//! | fine-tune | [`fine_tune`] | tunes the pruned network, and the unpruned one beside it |
//! | | [`invert`] | or finds triggers and unlearns them |
//! | gate | [`gate`] | whether the result may vote |
//! | export | [`export`] | the network as a version, the report |
//! | | [`expert`] | and a copy of the suspect that kept the backdoor alone, for the detector |
//!
//! The mathematics is in the rooms `defence` (rankings, rules, the gate), `network` (surgery) and `training`;
//! here it is put in order, cut into pieces of a second, and made to survive a death between any two.

mod answering;
mod baseline;
mod candidates;
mod choose;
mod examples;
mod expert;
mod export;
mod fine_tune;
mod gate;
mod geometry;
mod invert;
mod job;
mod material;
mod prune;
mod rank;
mod record;
mod settings;
mod stamps;
mod state;
mod torch;
mod weights;
mod work;

use crate::engine::{Assignment, Engine, EngineFault, Engines};
use job::RepairJob;

/// Makes engines that repair networks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Repair;

impl Engines for Repair {
    fn open(&self, assignment: &Assignment) -> Result<Box<dyn Engine>, EngineFault> {
        Ok(Box::new(RepairJob::new(assignment.clone())?))
    }
}
