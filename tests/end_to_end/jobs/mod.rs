//! Pruning jobs: queued, run by workers, watched, stopped, and brought through the death of everything.

mod accidents;
mod adoption;
mod bucket;
mod cancelling;
mod command_line;
mod creating;
mod faces;
mod kills;
mod pair;
mod repairing;
mod replicas;
mod support;
mod watching;
