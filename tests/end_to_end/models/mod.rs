//! Models from import to deletion.

mod deletion;
mod export;
mod imports;
mod promotion;
mod replicas;
mod samples;
mod stored;
mod versions;
