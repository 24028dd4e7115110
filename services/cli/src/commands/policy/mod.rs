//! `gifthorse policy ...`

mod clear;
pub(super) mod human;
mod set;
mod show;

use clap::Subcommand;

use super::{Outcome, Session};
use crate::error::CommandError;

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how the verdict on a model's inputs is made
    Show(show::Arguments),
    /// Put a new version of a model's policy in force
    Set(set::Arguments),
    /// Take the policy off a model: its verdict is UNGUARDED again
    Clear(clear::Arguments),
}

/// Runs one of the commands.
pub async fn run(session: &mut Session, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Show(arguments) => show::run(session, arguments).await,
        Command::Set(arguments) => set::run(session, arguments).await,
        Command::Clear(arguments) => clear::run(session, arguments).await,
    }
    .map(|()| Outcome::Done)
}
