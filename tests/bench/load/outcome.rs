//! The result of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tonic::Code;

use crate::memory::MemoryPoint;
use crate::scans::Scans;

/// What is printed, as one line of JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// Requests that were answered with a result.
    requests: u64,
    /// How long the measurement took.
    seconds: f64,
    /// `requests` by `seconds`.
    requests_per_second: f64,
    /// The same in rows.
    rows_per_second: f64,
    /// Latencies of the answered requests; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Latencies>,
    /// Requests that were refused, by gRPC code. `DataLoss` is an answer without outputs.
    errors: BTreeMap<String, u64>,
    /// What scans found.
    #[serde(skip_serializing_if = "Option::is_none")]
    scans: Option<Scans>,
    /// Memory of the watched process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    memory: Vec<MemoryPoint>,
}

/// Latencies in milliseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Latencies {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Outcome {
    /// Sums up a run whose requests carried `rows` rows each.
    pub(crate) fn new(
        latencies: Vec<Duration>,
        refusals: &[Code],
        rows: u64,
        elapsed: Duration,
        memory: Vec<MemoryPoint>,
    ) -> Self {
        let mut errors = BTreeMap::new();
        for code in refusals {
            *errors.entry(format!("{code:?}")).or_default() += 1;
        }
        let requests = latencies.len() as u64;
        let seconds = elapsed.as_secs_f64();
        let requests_per_second = requests as f64 / seconds;
        Self {
            requests,
            seconds,
            requests_per_second,
            rows_per_second: requests_per_second * rows as f64,
            latency_ms: Latencies::new(latencies),
            errors,
            scans: None,
            memory,
        }
    }

    /// The same with what scans found.
    pub(crate) fn with(self, scans: Option<Scans>) -> Self {
        Self { scans, ..self }
    }
}

impl Latencies {
    fn new(mut latencies: Vec<Duration>) -> Option<Self> {
        latencies.sort_unstable();
        let milliseconds = |latency: Duration| latency.as_secs_f64() * 1e3;
        let max = milliseconds(*latencies.last()?);
        let sum: Duration = latencies.iter().sum();
        // Nearest rank: the smallest latency that this share of the requests did not exceed.
        let at = |share: f64| {
            let rank = (share * latencies.len() as f64).ceil() as usize;
            milliseconds(latencies[rank.clamp(1, latencies.len()) - 1])
        };
        Some(Self {
            mean: milliseconds(sum) / latencies.len() as f64,
            p50: at(0.50),
            p90: at(0.90),
            p99: at(0.99),
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let latencies = (1..=100).rev().map(Duration::from_millis).collect();
        let wanted = Latencies { mean: 50.5, p50: 50.0, p90: 90.0, p99: 99.0, max: 100.0 };
        assert_eq!(Latencies::new(latencies), Some(wanted));
        assert_eq!(Latencies::new(Vec::new()), None);
    }

    #[test]
    fn refusals_are_counted_by_code_and_not_as_requests() {
        let refusals = [Code::Unavailable, Code::Internal, Code::Unavailable];
        let outcome = Outcome::new(
            vec![Duration::from_millis(1); 10],
            &refusals,
            4,
            Duration::from_secs(2),
            Vec::new(),
        );
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(json["requests"], 10);
        assert_eq!(json["requestsPerSecond"], 5.0);
        assert_eq!(json["rowsPerSecond"], 20.0);
        assert_eq!(json["errors"], serde_json::json!({"Unavailable": 2, "Internal": 1}));
    }
}
