//! `gifthorse model list [NAME]`

use gifthorse_api::v1;

use super::Session;
use crate::client::Gateway;
use crate::error::CommandError;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::{WholeModel, short};

/// What is listed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// List the versions of this model instead of the models
    name: Option<WholeModel>,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    match arguments.name {
        None => session.output.replies(&models(&gateway).await?, models_table),
        Some(name) => session.output.replies(&versions(&gateway, &name).await?, versions_table),
    }
}

async fn models(gateway: &Gateway) -> Result<Vec<v1::Model>, CommandError> {
    let mut client = gateway.models();
    let mut models = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListModelsRequest { page_size: 0, page_token };
        let page = client.list_models(request).await.map_err(|status| gateway.refused(status))?.into_inner();
        models.extend(page.models);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(models);
        }
    }
}

async fn versions(gateway: &Gateway, name: &WholeModel) -> Result<Vec<v1::ModelVersion>, CommandError> {
    let mut client = gateway.models();
    let mut versions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListModelVersionsRequest { parent: name.resource(), page_size: 0, page_token };
        let page =
            client.list_model_versions(request).await.map_err(|status| gateway.refused(status))?.into_inner();
        versions.extend(page.model_versions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(versions);
        }
    }
}

fn models_table(models: &[v1::Model]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("PROMOTED", Align::Left),
        ("VERSIONS", Align::Right),
        ("CREATED", Align::Left),
    ]);
    for model in models {
        table.row([
            short(&model.name).to_string(),
            short(&model.promoted_version).to_string(),
            model.version_count.to_string(),
            time(model.create_time.as_ref()),
        ]);
    }
    table
}

fn versions_table(versions: &[v1::ModelVersion]) -> Table {
    let mut table = Table::new(&[
        ("VERSION", Align::Left),
        ("PROMOTED", Align::Left),
        ("STATE", Align::Left),
        ("CLASSES", Align::Right),
        ("WEIGHTS", Align::Right),
        ("CREATED", Align::Left),
    ]);
    for version in versions {
        table.row([
            short(&version.name).to_string(),
            if version.promoted { "yes".to_owned() } else { String::new() },
            version.state().as_str_name().to_owned(),
            version.class_count.to_string(),
            version.parameter_count.to_string(),
            time(version.create_time.as_ref()),
        ]);
    }
    table
}
