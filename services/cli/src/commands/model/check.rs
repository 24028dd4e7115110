//! `gifthorse model check NAME[@VERSION]`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::reference::{ModelReference, short};

/// What is checked.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The linked model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::CheckLinkedModelRequest { name: arguments.name.resource() };
    let reply =
        gateway.models().check_linked_model(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |version| {
        format!("{} answers as when it was linked; fingerprint {}", short(&version.name), version.digest)
    })
}
