//! The user's command line: a thin client of the gateway, and `gifthorse up`, which runs the whole house on
//! one machine.
//!
//! * [`arguments`]: what may be typed; everything is parsed into domain types there, those of [`detection`],
//!   [`preprocessing`] and [`reference`].
//! * [`commands`]: one file a command.
//! * [`client`] and [`upload`]: the connection to the gateway, and files streamed through it.
//! * [`output`]: replies for people (aligned tables) or for programs (one JSON object a line).
//! * [`up`]: the four services as child processes.
//! * [`error`]: everything that can go wrong, with its code and exit status; [`usage`]: arguments that do not go
//!   together.

pub mod address;
pub mod arguments;
pub mod client;
pub mod commands;
pub mod detection;
pub mod error;
pub mod grpc_code;
pub mod output;
pub mod preprocessing;
pub mod progress;
pub mod reference;
pub mod up;
pub mod upload;
pub mod usage;

use arguments::{Cli, Command};
use commands::{Outcome, Session};
use error::CommandError;
use output::Output;

/// Runs one command and writes what it has to say to `output`.
pub async fn run(cli: Cli, output: Output) -> Result<Outcome, CommandError> {
    let mut session = Session { gateway: cli.common.gateway, output };
    match cli.command {
        Command::Up(arguments) => commands::up::run(&mut session, arguments).await,
        Command::Dataset { command } => commands::dataset::run(&mut session, command).await,
        Command::Model { command } => commands::model::run(&mut session, command).await,
        Command::Classify(arguments) => commands::classify::run(&mut session, arguments).await,
        Command::Calibrate(arguments) => commands::calibrate::run(&mut session, *arguments).await,
        Command::Scan(arguments) => commands::scan::run(&mut session, *arguments).await,
        Command::Evaluate(arguments) => commands::evaluate::run(&mut session, *arguments).await,
        Command::Calibration { command } => commands::calibration::run(&mut session, command).await,
        Command::Policy { command } => commands::policy::run(&mut session, command).await,
        Command::Prune(arguments) => commands::prune::run(&mut session, *arguments).await,
        Command::Job { command } => commands::job::run(&mut session, command).await,
        Command::Lab(arguments) => match commands::lab::run(&arguments) {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        },
        Command::Attached(arguments) => match up::attached::run(&arguments) {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        },
    }
}
