//! `gifthorse-gateway`

use std::process::ExitCode;

fn main() -> ExitCode {
    gifthorse_service::main_support::run(gifthorse_gateway::IDENTITY, gifthorse_gateway::build)
}
