//! `gifthorse-detector`

use std::process::ExitCode;

use gifthorse_quarantine::child;

fn main() -> ExitCode {
    // The reader of foreign files is this same program; it must not become a service.
    if let Some(task) = child::requested() {
        return child::serve(&task, gifthorse_detector::reader);
    }
    gifthorse_service::main_support::run(gifthorse_detector::IDENTITY, gifthorse_detector::build)
}
