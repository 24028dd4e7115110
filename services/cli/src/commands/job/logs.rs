//! `gifthorse job logs ID [--lines N]`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::reference::JobReference;

/// Which log, and how much of it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The job: ID or pruningJobs/ID
    #[arg(value_name = "ID")]
    name: JobReference,
    /// Show this many lines from the end [default: 1000]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    lines: Option<i32>,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let (name, lines) = (arguments.name.resource(), arguments.lines.unwrap_or_default());
    let reply = gateway.pruning_jobs().get_pruning_log(v1::GetPruningLogRequest { name, lines }).await;
    let log = reply.map_err(|status| gateway.refused(status))?.into_inner();
    session.output.reply(&log, |log| {
        let earlier = if log.truncated { "(earlier lines are left out)\n" } else { "" };
        format!("{earlier}{}", log.lines.join("\n"))
    })
}
