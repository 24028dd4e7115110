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
    /// Promote a repaired version without the suspect that it was repaired from: the detectors then watch the
    /// repaired version, and calibrations of the suspect no longer serve [default: both stay loaded, the suspect is
    /// watched, and the repaired version answers]
    #[arg(long)]
    alone: bool,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let name = arguments.name.resource();
    let asked = v1::GetModelVersionRequest { name: name.clone() };
    let version =
        gateway.models().get_model_version(asked).await.map_err(|status| gateway.refused(status))?;
    let keep_suspect = version.into_inner().repair_gate.is_some() && !arguments.alone;
    let request = v1::PromoteModelVersionRequest { name, keep_suspect, ..Default::default() };
    let reply =
        gateway.models().promote_model_version(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |model| {
        let answering =
            format!("{} is now answered by {}", short(&model.name), short(&model.promoted_version));
        match model.suspect_version.as_str() {
            "" => answering,
            suspect => {
                format!("{answering}; {} stays loaded as the suspect that detectors watch", short(suspect))
            }
        }
    })
}
