//! `gifthorse-trainer`

use std::process::ExitCode;

fn main() -> ExitCode {
    gifthorse_service::main_support::run(gifthorse_trainer::IDENTITY, gifthorse_trainer::build)
}
