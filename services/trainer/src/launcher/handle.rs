//! How a worker's process is found again: its number alone does not do, as numbers are used again.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process of this machine, or of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessHandle {
    /// The attempt.
    pub(super) name: String,
    /// Whether it is the worker, or the trainer that is about to start it.
    pub(super) role: Role,
    /// The process.
    pub(super) process: u32,
    /// When it was started, in ticks of the kernel.
    pub(super) started: u64,
    /// The boot of the machine and the space of process numbers that it lives in.
    pub(super) home: String,
}

/// What a process is to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// It has claimed the attempt.
    Claimant,
    /// It works on it.
    Worker,
}

impl ProcessHandle {
    /// The handle of a process that was just started and is not yet waited for.
    pub(super) fn of(name: &str, role: Role, process: u32) -> Self {
        let started = started(process).unwrap_or_default();
        Self { name: name.to_owned(), role, process, started, home: home() }
    }

    /// The text that is kept.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The handle in a text, where it is one of this launcher.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the process could be seen from here.
    pub(super) fn is_at_home(&self) -> bool {
        self.home == home()
    }

    /// Whether it is this very process that has the number now, and lives.
    pub(super) fn lives(&self) -> bool {
        self.is_at_home() && started(self.process) == Some(self.started)
    }
}

/// When a live process was started; a dead one that was not waited for does not count.
fn started(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn home() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), space.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let own = ProcessHandle::of("job-1", Role::Worker, std::process::id());
        assert_eq!(ProcessHandle::parse(&own.text()), Some(own.clone()));
        assert!(own.lives());
        assert!(!ProcessHandle { started: own.started + 1, ..own.clone() }.lives());
        assert!(!ProcessHandle { home: "elsewhere".to_owned(), ..own }.is_at_home());
        assert_eq!(ProcessHandle::parse("a pod"), None);
    }
}
