//! The worker: takes the lease of one job, has an engine do the mathematics, and says how it went.
//!
//! [`engine`] is what the mathematics looks like from here, [`Repair`] is the engine that repairs networks, with
//! [`pruning`] for its curves; [`run`] is all that a program of a worker calls.
//! A worker renews its lease while its engine works on a thread of its own, passes on what the engine tells,
//! and stores its checkpoints before it says that they are there. When the lease is lost it ends at once:
//! whatever it would do now belongs to somebody else.

mod attempt;
mod desk;
mod driver;
pub mod engine;
mod environment;
mod error;
mod files;
pub mod pruning;
mod publish;
mod repair;
mod scratch;
mod session;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gifthorse_api::v1;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tonic::transport::Endpoint;

pub use error::WorkerError;
pub use repair::Repair;

use attempt::Ended;
use engine::Engines;
use scratch::Scratch;

/// Runs one fine-pruning job under a lease of the trainer
#[derive(Debug, Parser)]
#[command(name = "gifthorse-worker", version)]
struct Arguments {
    /// Address of the trainer, `http://host:port`
    #[arg(long, env = "GIFTHORSE_TRAINER")]
    trainer: Endpoint,
    /// `pruningJobs/ID`; without it the next job is taken
    #[arg(long, default_value = "")]
    job: String,
    /// This worker's own name, unique among those alive
    #[arg(long, default_value_t = format!("worker-{}", std::process::id()))]
    name: String,
    /// The file of the token that proves to the trainer who this is
    #[arg(long, value_name = "FILE", env = "GIFTHORSE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The process that this one shall not outlive
    #[arg(long, value_name = "PID")]
    parent: Option<i32>,
}

/// Runs a worker with these engines, from its command line to its exit status: 0 when the trainer knows how the
/// job went, or there was none; 3 when there was no lease; 4 when it was lost; 1 for anything else.
pub fn run(engines: Box<dyn Engines>) -> ExitCode {
    let arguments = Arguments::parse();
    match work(arguments, engines) {
        Ok(said) => {
            let _ = writeln!(std::io::stdout(), "{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "gifthorse-worker: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}

fn work(arguments: Arguments, engines: Box<dyn Engines>) -> Result<String, WorkerError> {
    if let Some(parent) = arguments.parent {
        end_with(parent)?;
    }
    let system = |action| move |source| WorkerError::System { action, source };
    let scratch = Scratch::new().map_err(system("make a folder for the attempt"))?;
    // One thread for the conversation: the engine has its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(system("start the event loop"))?;
    let said = runtime.block_on(converse(arguments, engines, &scratch));
    // A file may still be on its way to a store that does not answer: do not wait for it.
    runtime.shutdown_background();
    said
}

async fn converse(
    arguments: Arguments,
    engines: Box<dyn Engines>,
    scratch: &Scratch,
) -> Result<String, WorkerError> {
    let request = v1::AcquireLeaseRequest {
        worker: arguments.name,
        job: arguments.job,
        environment: environment::environment(),
    };
    let Some((session, leased)) =
        session::acquire(&arguments.trainer, arguments.token_file.as_deref(), request).await?
    else {
        return Ok("there is no job to run".to_owned());
    };
    let job = leased.job.as_ref().map(|job| job.name.clone()).unwrap_or_default();
    let lost = || WorkerError::LeaseLost("the trainer did not renew it".to_owned());
    let ended = tokio::select! {
        biased;
        ended = attempt::run(engines, &session, leased, scratch.path()) => ended?,
        () = session.lost().cancelled() => return Err(lost()),
        () = session.clone().keep() => return Err(lost()),
    };
    Ok(match ended {
        Ended::Done => format!("{job} is done"),
        Ended::Failed { message, will_retry: true } => format!("{job} will be tried again: {message}"),
        Ended::Failed { message, will_retry: false } => format!("{job} has ended: {message}"),
    })
}

/// Has the kernel end this process with the one that started it, also when that is gone already.
fn end_with(parent: i32) -> Result<(), WorkerError> {
    let system = |error: rustix::io::Errno| WorkerError::System {
        action: "ask to be ended with the process that started this one",
        source: error.into(),
    };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(system)?;
    if getppid().map(|found| found.as_raw_nonzero().get()) == Some(parent) {
        Ok(())
    } else {
        Err(WorkerError::ParentGone)
    }
}
