//! `gifthorse`: parse, run, report, exit with 0 (done), 1 (refused or failed) or 2 (usage).

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use gifthorse::arguments::Cli;
use gifthorse::error::CommandError;
use gifthorse::output::{Output, report};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error, std::env::args_os(), &mut io::stderr()),
    };
    let json = cli.common.json;
    match run(cli) {
        Ok(outcome) => outcome.exit_code(),
        // The reader of our output has seen enough (`gifthorse model list | head -1`).
        Err(CommandError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let terminal = io::stderr().is_terminal();
            report::failure(&error, json, terminal, &mut io::stderr());
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<gifthorse::commands::Outcome, CommandError> {
    // One thread: it is the parent of the services that `up` starts, and they end when it does.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let output = Output::new(cli.common.json, Box::new(io::stdout()));
    let result = runtime.block_on(gifthorse::run(cli, output));
    // A thread may still sit in a read of a pipe that nobody writes to: do not wait for it.
    runtime.shutdown_background();
    result
}
