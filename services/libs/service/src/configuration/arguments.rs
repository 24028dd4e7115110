//! The flags every service takes.

use std::path::PathBuf;

/// The flags of a service. Values of configuration keys stay text here: the configuration parses them, so
/// that an error reads the same wherever the value was written.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Arguments {
    /// Read the configuration from this TOML file; without it the variable `GIFTHORSE_CONFIG` names one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// Listen for gRPC here; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Listen for health probes and metrics (HTTP) here; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_listen: Option<String>,
    /// Write the log as "human" or "json"
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Log what this filter lets through, for example "info,rpc=debug"
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Print the effective configuration as TOML, secrets redacted, and exit
    #[arg(long)]
    pub dump_config: bool,
}
