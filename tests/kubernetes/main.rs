//! The trainer on a real kube-apiserver, with the real Job controller and a node that runs Pods as processes.
//!
//! `make test-kubernetes` finds or builds the cluster's programs and runs this; without them every test says SKIPPED.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod kubelet;
#[cfg(test)]
mod node;
#[cfg(test)]
#[path = "../end_to_end/support/mod.rs"]
#[allow(dead_code, reason = "what the tests of jobs need of it is enough")]
mod support;
