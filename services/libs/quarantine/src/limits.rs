//! What one reader process may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The limits of one reader process. The kernel enforces all but the last two, which the parent watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineLimits {
    /// Bytes of address space the reader may add to what its process has mapped when it starts.
    ///
    /// Address space is more than memory in use: each thread's stack and each library loaded later counts,
    /// so a reader that starts ONNX Runtime needs some hundred MiB beyond its data.
    pub memory_bytes: u64,
    /// Processor time over all threads; the kernel counts whole seconds, so it is rounded up to one.
    #[serde(with = "humantime_serde")]
    pub cpu_time: Duration,
    /// Time from start to answer. Waiting for a free place does not count.
    #[serde(with = "humantime_serde")]
    pub wall_time: Duration,
    /// Bytes in any one file the reader writes.
    pub output_bytes: u64,
    /// Files, pipes and sockets open at once.
    pub open_files: u64,
    /// Bytes of the answer's JSON text.
    pub answer_bytes: u64,
}

impl Default for QuarantineLimits {
    /// Enough for a data set of a few GiB read in chunks, or a network of some hundred MiB.
    fn default() -> Self {
        Self {
            memory_bytes: 4 * GIB,
            cpu_time: Duration::from_mins(5),
            wall_time: Duration::from_mins(5),
            output_bytes: 16 * GIB,
            open_files: 64,
            answer_bytes: 8 * MIB,
        }
    }
}

impl QuarantineLimits {
    /// [`cpu_time`](Self::cpu_time) as the kernel takes it: whole seconds, at least one.
    pub(crate) fn cpu_seconds(&self) -> u64 {
        let rounded_up = self.cpu_time.as_secs() + u64::from(self.cpu_time.subsec_nanos() > 0);
        rounded_up.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_rounded_up_to_whole_seconds() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            let limits = QuarantineLimits {
                cpu_time: Duration::from_millis(milliseconds),
                ..QuarantineLimits::default()
            };
            assert_eq!(limits.cpu_seconds(), seconds, "{milliseconds} ms");
        }
    }

    #[test]
    fn limits_travel_as_json_and_refuse_unknown_keys() {
        let limits =
            QuarantineLimits { wall_time: Duration::from_millis(1500), ..QuarantineLimits::default() };
        let json = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<QuarantineLimits>(&json).unwrap(), limits);
        assert!(serde_json::from_str::<QuarantineLimits>(r#"{"memory": 1}"#).is_err());
    }
}
