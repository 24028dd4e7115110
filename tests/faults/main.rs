//! What goes wrong in the world, done to the real programs: each answers with the fault's name and lives.
//!
//! The modules are marked as tests so that what serves the tests may be as short as they are.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod departures;
#[cfg(test)]
mod load;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod model_files;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod names;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod page_tokens;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod png;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod tensors;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod vigil;
