//! The program itself, run against a gateway that lives in the test, and `up` against stand-ins for the
//! services.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail like tests")]

mod calibrate;
mod classify;
mod dataset;
mod detection;
mod failures;
mod fake_gateway;
mod model;
mod program;
mod up;
