//! Policies: which detectors decide about a model's inputs, within which budget.

mod derive;
mod record;
mod rpc;

pub(crate) use derive::{Deciders, guarantee, level};
pub(crate) use record::{PolicyEntry, PolicyLogs, calibration_name};
pub(crate) use rpc::PoliciesService;
