//! `gifthorse-worker`: runs one fine-pruning job under a lease of the trainer.

use std::process::ExitCode;

fn main() -> ExitCode {
    gifthorse_worker::run(Box::new(gifthorse_worker::Repair))
}
