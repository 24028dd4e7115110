//! `gifthorse dataset delete NAME`

use gifthorse_api::v1;

use super::{Session, Which};
use crate::error::CommandError;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let name = which.name.resource();
    let request = v1::DeleteDatasetRequest { name: name.clone() };
    let reply = gateway.datasets().delete_dataset(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |_| format!("deleted {name}"))
}
