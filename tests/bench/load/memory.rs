//! The resident memory of another process.

use serde::Serialize;

use crate::LoadError;

/// Memory after so many requests.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemoryPoint {
    /// Measured requests answered so far.
    pub(crate) requests: u64,
    /// Resident memory of the watched process, in KiB.
    pub(crate) resident_kib: u64,
}

/// Resident memory of a process, in KiB, as Linux reports it.
pub(crate) fn resident_kib(process: u32) -> Result<u64, LoadError> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path)
        .map_err(|source| LoadError::Io { what: format!("cannot read {path}"), source })?;
    parse(&status).ok_or_else(|| LoadError::Options(format!("{path} names no resident memory")))
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_resident_memory_is_read() {
        assert_eq!(parse("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    1234 kB\nThreads:\t1\n"), Some(1234));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn a_living_process_has_memory() {
        assert!(resident_kib(std::process::id()).unwrap() > 100);
    }
}
