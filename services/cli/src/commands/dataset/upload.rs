//! A file or folder on its way to becoming a stored data set.

use gifthorse_api::v1;
use gifthorse_api::v1::upload_dataset_request::Content;

use crate::client::Gateway;
use crate::error::CommandError;
use crate::preprocessing::{ChannelOrder, Divisor, Layout};
use crate::progress::Progress;
use crate::upload::{self, Source};

/// What the arrays of a file are called, and what their numbers mean.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::commands) struct Arrays {
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
}

impl Arrays {
    /// The specification as far as the flags say it: neither the name, nor the file.
    pub(in crate::commands) fn specification(
        &self,
        channel_order: Option<ChannelOrder>,
        layout: Option<Layout>,
    ) -> v1::UploadDatasetSpecification {
        v1::UploadDatasetSpecification {
            layout: layout.map_or(v1::layout::Kind::LayoutUnspecified, Into::into).into(),
            channel_order: channel_order
                .map_or(v1::channel_order::Kind::ChannelOrderUnspecified, Into::into)
                .into(),
            value_range: self.value_range.map_or(0.0, Divisor::value),
            images_key: self.images_key.clone().unwrap_or_default(),
            labels_key: self.labels_key.clone().unwrap_or_default(),
            groups_key: self.groups_key.clone().unwrap_or_default(),
            ..Default::default()
        }
    }
}

/// Sends a source as the data set of this specification.
pub(in crate::commands) async fn send(
    gateway: &Gateway,
    source: Source,
    specification: v1::UploadDatasetSpecification,
) -> Result<v1::Dataset, CommandError> {
    let mut client = gateway.datasets();
    let progress = Progress::bytes(format!("sending {}", source.file_name()), source.size());
    let sending = upload::send(
        gateway,
        source,
        v1::UploadDatasetRequest { content: Some(Content::Specification(specification)) },
        |chunk| v1::UploadDatasetRequest { content: Some(Content::Chunk(chunk)) },
        &progress,
        |messages| client.upload_dataset(messages),
    );
    progress.during(sending).await
}
