//! Repairs from an assignment to a network, through the engine as the worker drives it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "for tests only")]

mod faces;
mod jobs;
#[path = "../support/mod.rs"]
mod support;
