//! What the end of a worker's process says about its attempt.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::job_fault::Kind;

use crate::queue::Fault;

/// The exit status of a worker that got no lease.
const NO_LEASE: i32 = 3;
/// What a shell or a container says of a process that was killed with signal 9.
const KILLED: i32 = 128 + SIGKILL;
const SIGKILL: i32 = 9;

/// What allocators of the languages a worker is made of say with their last breath.
const OUT_OF_MEMORY: [&str; 5] = [
    "memory allocation of",
    "std::bad_alloc",
    "can't allocate memory",
    "Cannot allocate memory",
    "out of memory",
];

/// The fault of an attempt whose worker ended like this and had not said how the attempt went.
pub(super) fn fault_of(status: ExitStatus, last_words: &[String], killed_for_memory: bool) -> Fault {
    let starved = last_words.iter().find(|line| tells_of_memory(line));
    let said = starved.or(last_words.last()).map(|line| format!(" ({line})")).unwrap_or_default();
    if starved.is_some() || killed_for_memory && is_kill(status) {
        let message = format!("the worker used more memory than it may{said}");
        return Fault::new(Kind::OutOfMemory, ErrorCode::WorkerOutOfMemory, message);
    }
    if status.code() == Some(NO_LEASE) {
        let message = format!("the worker got no lease{said}");
        return Fault::new(Kind::Launch, ErrorCode::WorkerNotStarted, message);
    }
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(0)) => "ended without a result".to_owned(),
        (None, code) => format!("ended with status {}", code.unwrap_or(-1)),
    };
    Fault::new(Kind::WorkerLost, ErrorCode::WorkerLost, format!("the worker {how}{said}"))
}

/// Whether a line says that memory ended: it counts however much is said after it, a trace of calls say.
pub(super) fn tells_of_memory(line: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|words| line.contains(words))
}

/// The fault of an attempt whose process was somebody else's child and is no longer there.
pub(super) fn vanished() -> Fault {
    Fault::new(
        Kind::WorkerLost,
        ErrorCode::WorkerLost,
        "the worker is gone, with the trainer that started it",
    )
}

fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL) || status.code() == Some(KILLED)
}

/// How many processes of this control group the kernel has killed for memory; none where it does not say.
pub(super) fn kills_for_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/sys/fs/cgroup/memory.events").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_signals_are_translated() {
        let words = |line: &str| vec!["starting".to_owned(), line.to_owned()];
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let signalled = ExitStatus::from_raw;
        let cases = [
            (exited(0), "", false, Kind::WorkerLost, "ended without a result"),
            (exited(101), "thread 'main' panicked", false, Kind::WorkerLost, "status 101 (thread"),
            (exited(3), "the trainer does not answer", false, Kind::Launch, "no lease (the trainer"),
            (signalled(9), "", false, Kind::WorkerLost, "signal 9"),
            (signalled(9), "", true, Kind::OutOfMemory, "more memory"),
            (exited(137), "", true, Kind::OutOfMemory, "more memory"),
            (signalled(11), "", true, Kind::WorkerLost, "signal 11"),
            (signalled(6), "memory allocation of 4096 bytes failed", false, Kind::OutOfMemory, "4096"),
            (exited(1), "DefaultCPUAllocator: can't allocate memory", false, Kind::OutOfMemory, "Default"),
        ];
        for (status, line, killed, kind, part) in cases {
            let last = if line.is_empty() { Vec::new() } else { words(line) };
            let fault = fault_of(status, &last, killed);
            assert_eq!(fault.kind, kind, "{status:?} {line}");
            assert!(fault.message.contains(part), "{}", fault.message);
        }
    }
}
