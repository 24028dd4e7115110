//! `gifthorse-lab`: the program behind `gifthorse lab`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use gifthorse_lab::commands::Lab;
use gifthorse_quarantine::child;

fn main() -> ExitCode {
    if let Some(task) = child::requested() {
        return child::serve(&task, gifthorse_lab::reader);
    }
    match Lab::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
