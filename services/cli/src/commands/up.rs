//! `gifthorse up`

use std::path::PathBuf;
use std::time::Duration;

use super::{Outcome, Session};
use crate::error::CommandError;
use crate::up::{self, Plan};

/// Where the house keeps its data, and how it is run.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder for models, data sets and everything else that is kept
    /// [default: `$XDG_DATA_HOME/gifthorse`, else `~/.local/share/gifthorse`]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Give up when the services are not ready after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Do not show the services' logs
    #[arg(long)]
    quiet: bool,
}

/// Runs the four services until Ctrl-C or SIGTERM, or until one of them ends.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let plan = Plan {
        data: arguments.data,
        gateway: session.gateway.socket()?,
        ready_within: Duration::from_secs(arguments.timeout),
        show_logs: !arguments.quiet,
    };
    up::run(plan, &mut session.output).await?;
    Ok(Outcome::Done)
}
