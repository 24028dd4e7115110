//! `gifthorse job cancel ID`

use gifthorse_api::v1;

use super::human::state;
use super::{Session, Which};
use crate::error::CommandError;
use crate::reference::short;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::CancelPruningJobRequest { name: which.name.resource() };
    let reply = gateway.pruning_jobs().cancel_pruning_job(request).await;
    let job = reply.map_err(|status| gateway.refused(status))?.into_inner();
    session.output.reply(&job, |job| format!("{} is {}", short(&job.name), state(job)))
}
