//! `gifthorse dataset add NAME FILE|FOLDER`

use std::path::PathBuf;

use gifthorse_api::v1;
use gifthorse_api::v1::upload_dataset_request::Content;

use super::{Session, shape};
use crate::error::CommandError;
use crate::preprocessing::{ChannelOrder, Divisor, Layout};
use crate::progress::Progress;
use crate::reference::{DatasetReference, short};
use crate::upload::{self, Source};

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
    /// Highest value of floating-point pixels: 255, or 1 for values 0..1 [default: 255]
    #[arg(long, value_name = "VALUE")]
    value_range: Option<Divisor>,
    /// Name of the array of images in HDF5 and NPZ [default: data, images, image or x]
    #[arg(long, value_name = "NAME")]
    images_key: Option<String>,
    /// Name of the array of labels in HDF5 and NPZ [default: label, labels or y]
    #[arg(long, value_name = "NAME")]
    labels_key: Option<String>,
    /// Name of the array of group ids in HDF5 and NPZ [default: group or groups]
    #[arg(long, value_name = "NAME")]
    groups_key: Option<String>,
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
        layout: arguments.layout.map_or(v1::layout::Kind::LayoutUnspecified, Into::into).into(),
        channel_order: arguments
            .channel_order
            .map_or(v1::channel_order::Kind::ChannelOrderUnspecified, Into::into)
            .into(),
        request_id: arguments.request_id.unwrap_or_default(),
        value_range: arguments.value_range.map_or(0.0, Divisor::value),
        expected_sha256,
        images_key: arguments.images_key.unwrap_or_default(),
        labels_key: arguments.labels_key.unwrap_or_default(),
        groups_key: arguments.groups_key.unwrap_or_default(),
    };
    let gateway = session.connect().await?;
    let mut client = gateway.datasets();
    let progress = Progress::bytes(format!("sending {}", source.file_name()), source.size());
    let sending = upload::send(
        &gateway,
        source,
        v1::UploadDatasetRequest { content: Some(Content::Specification(specification)) },
        |chunk| v1::UploadDatasetRequest { content: Some(Content::Chunk(chunk)) },
        &progress,
        |messages| client.upload_dataset(messages),
    );
    let dataset = progress.during(sending).await?;
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
