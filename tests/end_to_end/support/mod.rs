//! Small networks and pictures made in the tests, and the calls that most tests make.

pub(crate) mod admin;
pub(crate) mod calls;
pub(crate) mod network;
pub(crate) mod pictures;
pub(crate) mod replicas;
