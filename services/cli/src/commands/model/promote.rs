//! `gifthorse model promote NAME@VERSION`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::reference::{OneVersion, short};

/// What is promoted.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The version: NAME@VERSION or models/NAME/versions/VERSION
    #[arg(value_name = "NAME@VERSION")]
    name: OneVersion,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::PromoteModelVersionRequest { name: arguments.name.resource(), ..Default::default() };
    let reply =
        gateway.models().promote_model_version(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |model| {
        format!("{} is now answered by {}", short(&model.name), short(&model.promoted_version))
    })
}
