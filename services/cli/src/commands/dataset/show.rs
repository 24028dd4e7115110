//! `gifthorse dataset show NAME`

use gifthorse_api::v1;

use super::{Session, Which, shape};
use crate::error::CommandError;
use crate::output::facts::Facts;
use crate::output::time;
use crate::reference::short;

pub(super) async fn run(session: &mut Session, which: Which) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::GetDatasetRequest { name: which.name.resource() };
    let reply = gateway.datasets().get_dataset(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), facts)
}

fn facts(dataset: &v1::Dataset) -> Facts {
    let mut facts = Facts::new();
    facts.add("name", short(&dataset.name));
    facts.add("created", time(dataset.create_time.as_ref()));
    facts.add("source", dataset.source().as_str_name());
    facts.add("images", dataset.image_count);
    facts.add("shape", shape(dataset));
    facts.add(
        "classes",
        format!("{}, labels {} to {}", dataset.class_count, dataset.lowest_label, dataset.highest_label),
    );
    if dataset.has_groups {
        facts.add("groups", dataset.group_count);
    }
    facts.add("duplicates", dataset.duplicate_count);
    facts.add("digest", &dataset.digest);
    for file in &dataset.files {
        facts.add("file", format!("{}, {} bytes, sha256 {}", file.file_name, file.size, file.sha256));
    }
    facts
}
