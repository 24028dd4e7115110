//! Every metric that all services share: names, units, labels and buckets.
//!
//! A service declares its own metrics in a file of this name. Times are histograms in seconds whose names
//! end in `_seconds`, counts of things in one batch end in `_rows`: the endings decide the buckets. Labels
//! are bounded: an rpc that the service does not have is counted under `other`.

use metrics::Unit;

/// Requests taken; labels `service`, `method`.
pub const RPC_STARTED: &str = "gifthorse_rpc_started_total";
/// Requests answered or given up; labels `service`, `method`, `code`.
pub const RPC_HANDLED: &str = "gifthorse_rpc_handled_total";
/// From the first byte of a request to the last of its answer; labels `service`, `method`.
pub const RPC_SECONDS: &str = "gifthorse_rpc_seconds";
/// Requests refused because too many were in flight.
pub const RPC_SHED: &str = "gifthorse_rpc_shed_total";
/// Requests in flight now.
pub const RPC_IN_FLIGHT: &str = "gifthorse_rpc_in_flight";
/// gRPC connections open now.
pub const CONNECTIONS_OPEN: &str = "gifthorse_connections_open";
/// Always 1; labels `program`, `version`.
pub const BUILD_INFO: &str = "gifthorse_build_info";

/// Bounds of the buckets of times, in seconds: half a millisecond to a minute.
pub const SECONDS_BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0, 2.5, 7.5, 20.0, 60.0];
/// Bounds of the buckets of batch sizes, in rows.
pub const ROWS_BUCKETS: [f64; 13] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0];

/// Describes the metrics above to the recorder.
pub(crate) fn describe() {
    metrics::describe_counter!(RPC_STARTED, Unit::Count, "requests taken");
    metrics::describe_counter!(RPC_HANDLED, Unit::Count, "requests answered or given up, by code");
    metrics::describe_histogram!(RPC_SECONDS, Unit::Seconds, "time from a request to the end of its answer");
    metrics::describe_counter!(RPC_SHED, Unit::Count, "requests refused because too many were in flight");
    metrics::describe_gauge!(RPC_IN_FLIGHT, Unit::Count, "requests in flight");
    metrics::describe_gauge!(CONNECTIONS_OPEN, Unit::Count, "gRPC connections open");
    metrics::describe_gauge!(BUILD_INFO, Unit::Count, "always 1, labelled with the version");
}
