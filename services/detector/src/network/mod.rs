//! The networks that are watched, as the mathematics of the defences wants them: logits for rows of inputs.

mod beside;
mod convolved;
mod link;
mod local;
mod networks;
mod part;
mod remote;
mod run;
mod space;
mod window;

pub(crate) use beside::Repair;
pub(crate) use networks::{Networks, Watched};
pub(crate) use run::{Patience, Run, RunError};
pub(crate) use space::rows_of;
