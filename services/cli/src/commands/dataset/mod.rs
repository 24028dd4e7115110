//! `gifthorse dataset ...`

mod add;
mod delete;
mod list;
mod show;
pub(super) mod upload;

use clap::{Args, Subcommand};
use gifthorse_api::v1;

use super::{Outcome, Session};
use crate::error::CommandError;
use crate::reference::DatasetReference;

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store a file or folder as a data set
    Add(add::Arguments),
    /// List the data sets
    List,
    /// Show one data set
    Show(Which),
    /// Delete a data set
    Delete(Which),
}

/// One data set.
#[derive(Debug, Args)]
pub struct Which {
    /// The data set: NAME or datasets/NAME
    name: DatasetReference,
}

/// Runs one of the commands.
pub async fn run(session: &mut Session, command: Command) -> Result<Outcome, CommandError> {
    match command {
        Command::Add(arguments) => add::run(session, arguments).await,
        Command::List => list::run(session).await,
        Command::Show(which) => show::run(session, which).await,
        Command::Delete(which) => delete::run(session, which).await,
    }
    .map(|()| Outcome::Done)
}

/// `55 x 47 x 3`
fn shape(dataset: &v1::Dataset) -> String {
    format!("{} x {} x {}", dataset.height, dataset.width, dataset.channels)
}
