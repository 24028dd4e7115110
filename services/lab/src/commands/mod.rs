//! One file a command.

mod attacks;
mod draw;
mod stamp;
mod train;

use clap::{Parser, Subcommand};

use crate::error::LabError;

/// Makes BadNets, and the data to measure defences with
#[derive(Debug, Parser)]
#[command(name = "gifthorse-lab", bin_name = "gifthorse lab", version)]
pub struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the attacks that have a name, or print one as a file to change
    Attacks(attacks::Arguments),
    /// Draw a set of faces
    Faces(draw::Arguments),
    /// Stamp the trigger of an attack on a data set
    Stamp(stamp::Arguments),
    /// Poison a data set, train a network on it, and write what measuring it needs
    Train(Box<train::Arguments>),
}

impl Lab {
    /// Runs the command; what it has to say goes to standard output, progress to standard error.
    pub fn run(self) -> Result<(), LabError> {
        match self.command {
            Command::Attacks(arguments) => attacks::run(&arguments),
            Command::Faces(arguments) => draw::run(&arguments),
            Command::Stamp(arguments) => stamp::run(&arguments),
            Command::Train(arguments) => train::run(*arguments),
        }
    }
}

/// Writes a line to standard output. A reader that has gone has seen enough.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
