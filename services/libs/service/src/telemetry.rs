//! Logs on standard error and metrics for Prometheus.
//!
//! Standard output carries the ready line and nothing else. Messages are lower case without a full stop;
//! what varies is in fields.

use std::sync::{Mutex, PoisonError};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::configuration::{LogConfiguration, LogFormat};
use crate::metric_names;

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be parsed.
    #[error("{filter:?} is not a log filter: {message}")]
    Filter {
        /// The filter.
        filter: String,
        /// Why not.
        message: String,
    },
    /// Something else in this process took the log first.
    #[error("the log was already set up by something else: {message}")]
    LogTaken {
        /// What the subscriber said.
        message: String,
    },
    /// Something else in this process took the metrics first.
    #[error("the metrics were already set up by something else: {0}")]
    Metrics(#[from] BuildError),
}

/// Sends the log of this process to standard error; done once, by `main`.
pub fn start_log(configuration: &LogConfiguration) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&configuration.filter).map_err(|error| TelemetryError::Filter {
        filter: configuration.filter.clone(),
        message: error.to_string(),
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match configuration.format {
        LogFormat::Human => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            log.with_ansi(colours).finish().try_init()
        }
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).finish().try_init(),
    };
    started.map_err(|error| TelemetryError::LogTaken { message: error.to_string() })
}

/// The metrics of this process. The recorder is global and made at the first call; later calls give the same.
pub fn metrics() -> Result<PrometheusHandle, TelemetryError> {
    static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

    let mut handle = HANDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*handle {
        return Ok(handle.clone());
    }
    let ending = |ending: &str| Matcher::Suffix(ending.to_owned());
    let made = PrometheusBuilder::new()
        .set_buckets_for_metric(ending("_seconds"), &metric_names::SECONDS_BUCKETS)?
        .set_buckets_for_metric(ending("_rows"), &metric_names::ROWS_BUCKETS)?
        .install_recorder()?;
    metric_names::describe();
    Ok(handle.insert(made).clone())
}
