//! `gifthorse job list [NAME] [--state STATE]...`

use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State as WireState;

use super::Session;
use super::human::{gate, state};
use crate::error::CommandError;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::{WholeModel, short};

/// Which jobs are listed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// List those of this model [default: all]
    name: Option<WholeModel>,
    /// List those in this state; give it again for further states [default: all]
    #[arg(long, value_name = "STATE")]
    state: Vec<State>,
    /// List at most this many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    limit: Option<u16>,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Waiting for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Given up.
    Failed,
    /// Stopped.
    Cancelled,
    /// Being stopped.
    Cancelling,
}

impl From<State> for WireState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Succeeded => Self::Succeeded,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
            State::Cancelling => Self::Cancelling,
        }
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let mut client = gateway.pruning_jobs();
    let limit = arguments.limit.map_or(usize::MAX, usize::from);
    let states: Vec<i32> = arguments.state.iter().map(|state| WireState::from(*state).into()).collect();
    let (mut jobs, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListPruningJobsRequest {
            model: arguments.name.as_ref().map(WholeModel::resource).unwrap_or_default(),
            states: states.clone(),
            page_size: i32::try_from(limit.saturating_sub(jobs.len()).min(1000)).unwrap_or(0),
            page_token,
        };
        let page = client.list_pruning_jobs(request).await.map_err(|status| gateway.refused(status))?;
        let page = page.into_inner();
        jobs.extend(page.pruning_jobs);
        page_token = page.next_page_token;
        if page_token.is_empty() || jobs.len() >= limit {
            break;
        }
    }
    session.output.replies(&jobs, table)
}

fn table(jobs: &[v1::PruningJob]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("MODEL", Align::Left),
        ("STATE", Align::Left),
        ("STAGE", Align::Left),
        ("DONE", Align::Right),
        ("GATE", Align::Left),
        ("VERSION", Align::Left),
        ("CREATED", Align::Left),
    ]);
    for job in jobs {
        let specification = job.specification.clone().unwrap_or_default();
        let done = if job.total > 0 { format!("{}/{}", job.done, job.total) } else { String::new() };
        table.row([
            short(&job.name).to_string(),
            short(&specification.model).to_string(),
            state(job).to_owned(),
            job.stage.clone(),
            done,
            gate(job).to_owned(),
            short(&job.version).to_string(),
            time(job.create_time.as_ref()),
        ]);
    }
    table
}
