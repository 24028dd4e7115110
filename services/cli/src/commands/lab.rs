//! `gifthorse lab`: becomes the program `gifthorse-lab`, which alone of the user's tools links libtorch.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::up::{self, UpError};

/// The program.
const PROGRAM: &str = "gifthorse-lab";

/// How OpenMP's threads wait for each other.
const WAITING: &str = "OMP_WAIT_POLICY";

/// What the lab is asked for.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// What the lab shall do: `gifthorse lab --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    rest: Vec<OsString>,
}

/// Becomes the lab; returns only when that fails.
pub fn run(arguments: &Arguments) -> Result<Infallible, UpError> {
    let program = up::program(PROGRAM)?;
    let failed = |source| UpError::Attach { program: program.display().to_string(), source };
    let mut command = Command::new(&program);
    // Threads that spin while they wait take the processors from services that run beside.
    if std::env::var_os(WAITING).is_none() {
        command.env(WAITING, "PASSIVE");
    }
    Err(failed(command.args(&arguments.rest).exec()))
}
