//! `gifthorse dataset list`

use gifthorse_api::v1;

use super::{Session, shape};
use crate::error::CommandError;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::short;

pub(super) async fn run(session: &mut Session) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let mut client = gateway.datasets();
    let mut datasets = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListDatasetsRequest { page_size: 0, page_token };
        let page =
            client.list_datasets(request).await.map_err(|status| gateway.refused(status))?.into_inner();
        datasets.extend(page.datasets);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    session.output.replies(&datasets, table)
}

fn table(datasets: &[v1::Dataset]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("IMAGES", Align::Right),
        ("SHAPE", Align::Left),
        ("CLASSES", Align::Right),
        ("CREATED", Align::Left),
    ]);
    for dataset in datasets {
        table.row([
            short(&dataset.name).to_string(),
            dataset.image_count.to_string(),
            shape(dataset),
            dataset.class_count.to_string(),
            time(dataset.create_time.as_ref()),
        ]);
    }
    table
}
