//! Pruning with the real ONNX Runtime: files against masks, sweeps against full passes, and the real networks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "for tests only")]

mod bounded;
mod equality;
mod faces;
mod interrupted;
mod networks;
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
