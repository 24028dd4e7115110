//! Networks that a foreign Open Inference Protocol server holds.
//!
//! A linked version is served like any other: its requests go on to the foreign server, its answers are checked
//! and, where the server answers logits, turned into probabilities. What it *is* cannot be read off a file, so
//! its identity is what it answered to fixed probes when it was linked; the probes are asked again on a schedule,
//! on demand, and before the first request after the server was out of reach. This notices an exchange of the
//! network; it cannot notice a server that knows the probes and answers them as before on purpose.

mod address;
mod answers;
mod document;
mod error;
mod foreign;
mod health;
mod metadata;
mod model;
mod parts;
mod probes;
mod statistics;

pub use address::Address;

pub(crate) use document::{LinkDocument, TOLERANCE, check_probabilities};
pub(crate) use error::LinkError;
pub(crate) use foreign::Foreign;
pub(crate) use health::Standing;
pub(crate) use metadata::ForeignInput;
pub(crate) use model::LinkedModel;
pub(crate) use probes::Probes;
