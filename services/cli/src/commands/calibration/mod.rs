//! `gifthorse calibration ...`

mod delete;
pub(super) mod human;
mod list;
mod show;

use clap::{Args, Subcommand};

use super::{Outcome, Session};
use crate::error::CommandError;
use crate::reference::CalibrationReference;

/// What to do with calibrations.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the calibrations, newest first
    List(list::Arguments),
    /// Show one calibration
    Show(Which),
    /// Delete a calibration that no policy uses
    Delete(Which),
}

/// One calibration.
#[derive(Debug, Args)]
pub struct Which {
    /// The calibration: ID or calibrations/ID
    #[arg(value_name = "ID")]
    name: CalibrationReference,
}

/// Runs one of the commands.
pub async fn run(session: &mut Session, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::List(arguments) => list::run(session, arguments).await,
        Command::Show(which) => show::run(session, which).await,
        Command::Delete(which) => delete::run(session, which).await,
    }
    .map(|()| Outcome::Done)
}
