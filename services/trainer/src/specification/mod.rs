//! What a pruning job may ask for, checked before anything is stored.
//!
//! [`numbers`] needs nothing but the specification; [`Subject`] looks at the model and the data sets it names;
//! [`plan`] says what would happen.

mod error;
mod numbers;
mod plan;
mod subject;
#[cfg(test)]
mod tests;

pub(crate) use error::SpecificationError;
pub(crate) use numbers::{Checked, check};
pub(crate) use plan::{Surroundings, plan};
pub(crate) use subject::Subject;
