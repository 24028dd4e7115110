//! `gifthorse policy clear NAME`

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::reference::{WholeModel, short};

/// Whose policy goes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model
    name: WholeModel,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::ClearPolicyRequest { name: arguments.name.policy() };
    let reply = gateway.policies().clear_policy(request).await.map_err(|status| gateway.refused(status))?;
    let model = arguments.name.resource();
    session.output.reply(&reply.into_inner(), |_| format!("{} is unguarded", short(&model)))
}
