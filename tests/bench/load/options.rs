//! The command line of the generator.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::LoadError;

/// Loads an Open Inference Protocol server with `ModelInfer`, or a detector with `Scan`, and prints one line of
/// JSON.
#[derive(Debug, clap::Parser)]
#[command(name = "gifthorse-load")]
pub(crate) struct Options {
    /// Where the server is, `HOST:PORT`
    pub(crate) address: String,
    /// Name of the model; its first input is filled. With --scan: `calibrations/ID`
    pub(crate) model: String,
    /// Version of the model; the server's choice when left out
    #[arg(long, default_value = "")]
    pub(crate) version: String,
    /// Rows of each request, where the model has a free batch axis
    #[arg(long, default_value = "1")]
    pub(crate) rows: NonZeroUsize,
    /// Length of every axis of the input, batch axis included, as in 1,55,47,3; read off the model when left out
    #[arg(long, value_delimiter = ',', conflicts_with = "rows")]
    pub(crate) shape: Vec<i64>,
    /// File with the elements of the input, little-endian; seeded random ones when left out. With --scan:
    /// prepared images of --shape, one after the other, which the requests take in turn
    #[arg(long)]
    pub(crate) input: Option<PathBuf>,
    /// Scan images under a calibration instead of inferring
    #[arg(long, requires_all = ["input", "shape"], conflicts_with_all = ["rows", "version"])]
    pub(crate) scan: bool,
    /// Score of the calibration that decides; the fused one when left out
    #[arg(long, value_name = "NAME", default_value = "", requires = "scan")]
    pub(crate) detector: String,
    /// Clean images that may be rejected, 0..1; the service's default when left out
    #[arg(long, default_value = "0", requires = "scan")]
    pub(crate) alpha: f64,
    /// Rule of the threshold that holds with this confidence; the marginal rule when left out
    #[arg(long, default_value = "0", requires = "scan")]
    pub(crate) confidence: f64,
    /// Let no scan stop early
    #[arg(long, requires = "scan")]
    pub(crate) exact: bool,
    /// Requests that are under way at once
    #[arg(long, default_value = "32")]
    pub(crate) concurrency: NonZeroUsize,
    /// HTTP/2 connections that share them
    #[arg(long, default_value = "1")]
    pub(crate) connections: NonZeroUsize,
    /// How long to measure
    #[arg(long, default_value = "10", conflicts_with = "requests")]
    pub(crate) seconds: f64,
    /// How many requests to measure, in place of --seconds
    #[arg(long)]
    pub(crate) requests: Option<u64>,
    /// How long to send requests that are not measured, before
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    pub(crate) warm_up: f64,
    /// How long to wait until the server listens and the model is ready
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) wait: f64,
    /// How long a request may take before it counts as `DeadlineExceeded` or `Cancelled`
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub(crate) timeout: f64,
    /// Process whose resident memory is reported as the requests go on
    #[arg(long, value_name = "PID")]
    pub(crate) watch_pid: Option<u32>,
    /// After how many measured requests to look at it again
    #[arg(long, value_name = "REQUESTS", default_value = "10000", requires = "watch_pid")]
    pub(crate) watch_every: std::num::NonZeroU64,
}

/// An option in seconds as a duration.
pub(crate) fn seconds(name: &str, value: f64) -> Result<Duration, LoadError> {
    Duration::try_from_secs_f64(value).map_err(|error| LoadError::Options(format!("{name} {value}: {error}")))
}
