//! `gifthorse dataset add NAME FILE|FOLDER`

use std::path::PathBuf;

use gifthorse_api::v1;

use super::upload::{self, Arrays};
use super::{Session, shape};
use crate::error::CommandError;
use crate::preprocessing::{ChannelOrder, Layout};
use crate::reference::{DatasetReference, short};
use crate::upload::Source;

/// What is stored, and what the file does not say of itself.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The name to store it under
    name: DatasetReference,
    /// An HDF5 or NPZ file with `data` and `label`, or a folder of pictures: subfolders named by the number
    /// of their class, or any layout with a labels.csv
    #[arg(value_name = "FILE|FOLDER")]
    path: PathBuf,
    /// Order of the colour channels in the file [default: rgb]
    #[arg(long, value_name = "ORDER")]
    channel_order: Option<ChannelOrder>,
    /// Order of the axes of `data` [default: read off its shape]
    #[arg(long)]
    layout: Option<Layout>,
    #[command(flatten)]
    arrays: Arrays,
    /// Makes a repeated upload harmless: the same id and content answer what was stored first
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let source = Source::file_or_folder(&arguments.path)?;
    let expected_sha256 = source.sha256()?.unwrap_or_default();
    let specification = v1::UploadDatasetSpecification {
        dataset: arguments.name.resource(),
        file_name: source.file_name(),
        request_id: arguments.request_id.unwrap_or_default(),
        expected_sha256,
        ..arguments.arrays.specification(arguments.channel_order, arguments.layout)
    };
    let gateway = session.connect().await?;
    let dataset = upload::send(&gateway, source, specification).await?;
    session.output.reply(&dataset, summary)
}

fn summary(dataset: &v1::Dataset) -> String {
    let repeated = match dataset.duplicate_count {
        0 => String::new(),
        count => format!(", {count} of them equal to an earlier one"),
    };
    format!(
        "{}: {} images of {}{repeated}; {} classes, labels {} to {}",
        short(&dataset.name),
        dataset.image_count,
        shape(dataset),
        dataset.class_count,
        dataset.lowest_label,
        dataset.highest_label,
    )
}
