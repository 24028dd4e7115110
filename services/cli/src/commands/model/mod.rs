//! `gifthorse model ...`

mod check;
pub mod class_names;
mod delete;
pub mod download;
mod export;
mod import;
mod link;
mod list;
mod promote;
mod record;
mod show;

use clap::Subcommand;

use super::{Outcome, Session};
use crate::error::CommandError;

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a file as a new version of a model
    Import(import::Arguments),
    /// Register a network that a foreign Open Inference Protocol server holds
    Link(link::Arguments),
    /// Ask a linked network's server whether it still holds the same network
    Check(check::Arguments),
    /// List the models, or the versions of one
    List(list::Arguments),
    /// Show one version of a model
    Show(show::Arguments),
    /// Write a version to a file
    Export(export::Arguments),
    /// Make a version the one that answers for the model
    Promote(promote::Arguments),
    /// Delete a model, or one of its versions
    Delete(delete::Arguments),
}

/// Runs one of the commands.
pub async fn run(session: &mut Session, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Import(arguments) => import::run(session, arguments).await,
        Command::Link(arguments) => link::run(session, arguments).await,
        Command::Check(arguments) => check::run(session, arguments).await,
        Command::List(arguments) => list::run(session, arguments).await,
        Command::Show(arguments) => show::run(session, arguments).await,
        Command::Export(arguments) => export::run(session, arguments).await,
        Command::Promote(arguments) => promote::run(session, arguments).await,
        Command::Delete(arguments) => delete::run(session, arguments).await,
    }
    .map(|()| Outcome::Done)
}
