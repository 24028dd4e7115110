//! Loads an Open Inference Protocol server with `ModelInfer`, or a detector with `Scan`, and prints one line of
//! JSON: requests a second, latencies, refusals by gRPC code, what scans found and, on demand, the server's
//! memory as the requests go on.
//!
//! Everything runs on one thread, so that the generator can be pinned to one core (`taskset -c 1`) while the
//! server has another; requests are encoded from one shared buffer.

mod call;
mod drive;
mod memory;
mod options;
mod outcome;
mod scans;
mod target;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::options::Options;
use crate::outcome::Outcome;
use crate::target::Target;

/// What keeps the generator from producing a result.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    /// The options contradict the model or each other.
    #[error("{0}")]
    Options(String),
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where it was looked for.
        address: String,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The server does not describe the model.
    #[error("the server does not describe model {model}: {source}")]
    Describe {
        /// The model asked for.
        model: String,
        /// Its answer.
        source: Box<tonic::Status>,
    },
    /// A file cannot be read or the result cannot be written.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a stderr there is nowhere left to complain to.
            let _ = writeln!(std::io::stderr(), "gifthorse-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| LoadError::Io { what: "cannot start the runtime".into(), source })?;
    let outcome: Outcome = runtime.block_on(async {
        let target = Target::discover(options).await?;
        drive::drive(&target, options).await
    })?;
    let mut line = serde_json::to_vec(&outcome)
        .map_err(|error| LoadError::Io { what: "cannot write the result".into(), source: error.into() })?;
    line.push(b'\n');
    std::io::stdout()
        .write_all(&line)
        .map_err(|source| LoadError::Io { what: "cannot write the result".into(), source })
}
