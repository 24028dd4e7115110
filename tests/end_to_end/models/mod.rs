//! Models from import to deletion.

mod balancing;
mod deletion;
mod export;
mod imports;
mod promotion;
mod replicas;
mod samples;
mod stored;
mod versions;
