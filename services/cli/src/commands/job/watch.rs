//! `gifthorse job watch ID`, and following a job to its end.

use std::time::{Duration, Instant};

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;

use super::{Outcome, Session, show};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::{JobReference, short};

/// How long a lost connection is tried to be made again.
const PATIENCE: Duration = Duration::from_mins(1);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Which job, and from where on.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The job: ID or pruningJobs/ID
    #[arg(value_name = "ID")]
    name: JobReference,
    /// Begin after the event of this number [default: with the first that is kept]
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
}

/// Follows a job: every event as an object, or a bar that moves and what is worth telling.
pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let gateway = session.connect().await?;
    let name = arguments.name.resource();
    let after = arguments.after.unwrap_or_default();
    let shown = if session.output.is_json() { Shown::Events } else { Shown::Bar };
    let job = follow(session, &gateway, &name, after, shown).await?;
    if !session.output.is_json() {
        session.output.reply(&job, super::human::Shown::new)?;
    }
    outcome(&job)
}

/// Follows a job that was just queued and shows what became of it: as an object, that alone.
pub(in crate::commands) async fn to_the_end(
    session: &mut Session,
    gateway: &Gateway,
    name: &str,
) -> Result<Outcome, CommandError> {
    let job = follow(session, gateway, name, 0, Shown::Bar).await?;
    session.output.reply(&job, super::human::Shown::new)?;
    outcome(&job)
}

/// What is shown while a job is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Every event, as an object.
    Events,
    /// A bar on a terminal.
    Bar,
}

/// Follows a job to its end, over lost connections, and gives the job.
async fn follow(
    session: &mut Session,
    gateway: &Gateway,
    name: &str,
    mut after: i64,
    shown: Shown,
) -> Result<v1::PruningJob, CommandError> {
    let progress = Progress::items(format!("waiting for {}", short(name)), 0);
    progress.stage(format!("waiting for {}", short(name)));
    let (mut lost, mut over): (Option<Instant>, bool) = (None, false);
    let following = async {
        loop {
            let before = after;
            let seen = listen(session, gateway, name, &mut after, &mut over, shown, &progress).await;
            if after > before {
                lost = None;
            }
            match seen {
                // The stream ends with the job, or with a service that stops: the job tells which.
                Ok(()) => {
                    if over || is_over(&show::get(gateway, name).await?) {
                        return Ok(());
                    }
                }
                Err(error) if passes(&error) => {
                    if lost.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    progress.during(following).await?;
    show::get(gateway, name).await
}

async fn listen(
    session: &mut Session,
    gateway: &Gateway,
    name: &str,
    after: &mut i64,
    over: &mut bool,
    shown: Shown,
    progress: &Progress,
) -> Result<(), CommandError> {
    let request = v1::WatchPruningJobRequest { name: name.to_owned(), after_sequence: *after };
    let call = gateway.pruning_jobs().watch_pruning_job(request).await;
    let mut stream = call.map_err(|status| gateway.refused(status))?.into_inner();
    while let Some(event) = stream.message().await.map_err(|status| gateway.refused(status))? {
        *after = event.sequence;
        *over = matches!(event.state(), State::Succeeded | State::Failed | State::Cancelled);
        match shown {
            Shown::Events => session.output.reply(&event, |event| event.message.clone())?,
            Shown::Bar => {
                if let Some(found) = &event.progress {
                    progress.report(found);
                } else if !event.message.is_empty() {
                    progress.say(&event.message);
                }
            }
        }
    }
    Ok(())
}

fn is_over(job: &v1::PruningJob) -> bool {
    matches!(job.state(), State::Succeeded | State::Failed | State::Cancelled)
}

/// Whether the same may work in a moment: a service starts again, say.
fn passes(error: &CommandError) -> bool {
    matches!(error, CommandError::Unreachable { .. })
        || matches!(
            error.grpc_code(),
            tonic::Code::Unavailable | tonic::Code::Cancelled | tonic::Code::ResourceExhausted
        )
}

/// A job that came to no result is an error, whatever was shown of it.
fn outcome(job: &v1::PruningJob) -> Result<Outcome, CommandError> {
    let fault = job.fault.clone().unwrap_or_default();
    let (code, reason) = match job.state() {
        State::Succeeded => return Ok(Outcome::Done),
        State::Cancelled => ("CANCELLED".to_owned(), "it was cancelled".to_owned()),
        _ => (fault.reason, fault.message),
    };
    Err(CommandError::Job { job: short(&job.name).to_string(), code, reason })
}
