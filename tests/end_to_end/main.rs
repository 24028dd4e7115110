//! The real programs, from the front door: each file is one thing a user does.
//!
//! The modules are marked as tests so that what serves the tests may be as short as they are.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod datasets;
#[cfg(test)]
mod detection;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod linked;
#[cfg(test)]
mod models;
#[cfg(test)]
mod overrides;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod support;
