//! `gifthorse policy show NAME[@VERSION] [--history]`

use gifthorse_api::v1;

use super::Session;
use super::human::{self, Shown};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::reference::ModelReference;

/// What is shown.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the policy in force, or NAME@VERSION for one version of the policy
    name: ModelReference,
    /// List all versions of the policy, newest first
    #[arg(long)]
    history: bool,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    if arguments.history {
        let versions = versions(&gateway, &arguments.name).await?;
        return session.output.replies(&versions, human::history);
    }
    let request = v1::GetPolicyRequest { name: arguments.name.policy() };
    let reply = gateway.policies().get_policy(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), Shown::new)
}

async fn versions(gateway: &Gateway, name: &ModelReference) -> Result<Vec<v1::Policy>, CommandError> {
    let mut client = gateway.policies();
    let parent = name.model().replacen("models/", "policies/", 1);
    let mut policies = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListPolicyVersionsRequest { parent: parent.clone(), page_size: 0, page_token };
        let page = client.list_policy_versions(request).await.map_err(|status| gateway.refused(status))?;
        let page = page.into_inner();
        policies.extend(page.policies);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(policies);
        }
    }
}
