//! `gifthorse job show ID`

use gifthorse_api::v1;

use super::human::Shown;
use super::{Session, Which};
use crate::client::Gateway;
use crate::error::CommandError;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let job = get(&gateway, &which.name.resource()).await?;
    session.output.reply(&job, Shown::new)
}

/// The job of this resource name.
pub(super) async fn get(gateway: &Gateway, name: &str) -> Result<v1::PruningJob, CommandError> {
    let request = v1::GetPruningJobRequest { name: name.to_owned() };
    let reply = gateway.pruning_jobs().get_pruning_job(request).await;
    Ok(reply.map_err(|status| gateway.refused(status))?.into_inner())
}
