//! Pruning jobs whose workers are Jobs of the cluster.

mod cancelling;
mod lab;
mod outages;
mod replicas;
mod rights;
mod running;
#[path = "../../end_to_end/jobs/support.rs"]
#[allow(dead_code, reason = "what these tests need of it is enough")]
mod support;
