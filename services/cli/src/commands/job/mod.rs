//! `gifthorse job list|show|watch|cancel|report|logs`

mod cancel;
pub(super) mod human;
mod list;
mod logs;
mod report;
mod show;
pub(super) mod watch;

use clap::{Args, Subcommand};

use super::{Outcome, Session};
use crate::error::CommandError;
use crate::reference::JobReference;

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the jobs, newest first
    List(list::Arguments),
    /// Show one job
    Show(Which),
    /// Follow a job to its end
    Watch(watch::Arguments),
    /// Stop a job at whatever stage it is
    Cancel(Which),
    /// Write a finished job's report into a folder
    Report(report::Arguments),
    /// Show the end of a job's log, also after its worker is gone
    Logs(logs::Arguments),
}

/// One job.
#[derive(Debug, Args)]
pub struct Which {
    /// The job: ID or pruningJobs/ID
    #[arg(value_name = "ID")]
    name: JobReference,
}

/// Runs one of the commands.
pub async fn run(session: &mut Session, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::List(arguments) => list::run(session, arguments).await,
        Command::Show(which) => show::run(session, which).await,
        Command::Watch(arguments) => return watch::run(session, arguments).await,
        Command::Cancel(which) => cancel::run(session, which).await,
        Command::Report(arguments) => report::run(session, arguments).await,
        Command::Logs(arguments) => logs::run(session, arguments).await,
    }
    .map(|()| Outcome::Done)
}
