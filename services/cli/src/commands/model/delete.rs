//! `gifthorse model delete NAME[@VERSION]`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::reference::ModelReference;

/// What is deleted.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// NAME for the model with all its versions, or NAME@VERSION for one that is not promoted
    name: ModelReference,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let mut client = gateway.models();
    let name = arguments.name.resource();
    let text = format!("deleted {name}");
    if arguments.name.has_version() {
        let request = v1::DeleteModelVersionRequest { name };
        let reply = client.delete_model_version(request).await.map_err(|status| gateway.refused(status))?;
        session.output.reply(&reply.into_inner(), |_| text)
    } else {
        let request = v1::DeleteModelRequest { name };
        let reply = client.delete_model(request).await.map_err(|status| gateway.refused(status))?;
        session.output.reply(&reply.into_inner(), |_| text)
    }
}
