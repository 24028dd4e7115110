//! Calibrations, scans, policies and verdicts, through the front door.

mod damage;
mod evaluation;
mod faces;
mod guarantees;
mod outages;
mod refusals;
mod repeatable;
pub(crate) mod support;
