//! `gifthorse-worker`: runs one fine-pruning job under a lease of the trainer.
//!
//! It asks the trainer for a lease and says what came of it. The trainer of this release answers that leases
//! are not built, which is reported as it is; the engine that runs a job comes with the trainer's queue.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use gifthorse_api::v1::AcquireLeaseRequest;
use gifthorse_api::v1::worker_client::WorkerClient;
use tonic::transport::Endpoint;

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
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(said) => {
            let _ = writeln!(std::io::stdout(), "{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "gifthorse-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, String> {
    let address = arguments.trainer.uri().to_string();
    let channel = arguments
        .trainer
        .connect()
        .await
        .map_err(|error| format!("the trainer at {address} cannot be reached: {error}"))?;
    let request = AcquireLeaseRequest { worker: arguments.name, job: arguments.job, ..Default::default() };
    let lease = WorkerClient::new(channel)
        .acquire_lease(request)
        .await
        .map_err(|refused| format!("the trainer gives no lease: {}", refused.message()))?
        .into_inner();
    match lease.job {
        None => Ok("there is no job to run".to_owned()),
        Some(job) => Err(format!("{} was leased, but this release has no engine to run it", job.name)),
    }
}
