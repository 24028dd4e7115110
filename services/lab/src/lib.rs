//! The lab: makes attacks, trains victims, and makes what measuring a defence needs.
//!
//! A stranger has neither BadNets nor face sets. [`faces`] draws a set, [`victim`] trains a network on any set after an
//! attack of `gifthorse-attack` was made on it, and [`manifest`] says how to make the same again. Everything is a function of
//! its seeds, weights with the same libtorch, count of threads and kind of processor.
//!
//! With the worker this is the only program that links libtorch.

pub mod commands;
pub mod division;
pub mod error;
pub mod faces;
pub mod manifest;
pub mod npz;
pub mod pictures;
mod reading;
mod samples;
pub mod source;
pub mod stamping;
pub mod victim;

pub use error::LabError;
pub use reading::reader;
