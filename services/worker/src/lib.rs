//! What a worker does with a job, apart from how it gets one.

pub mod pruning;
