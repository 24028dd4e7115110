//! What the tests that start the real programs share.
//!
//! Programs come from the folder this test was built into (`make test` builds them first), listen on
//! ephemeral loopback ports, and end with the test that started them.

#![allow(clippy::expect_used, reason = "this is test code: what is not as it should be ends the test")]

pub mod bucket;
pub mod house;
pub mod postgres;
pub mod program;
pub mod test_data;
