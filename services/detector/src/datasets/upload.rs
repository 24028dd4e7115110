//! `UploadDataset`: from a client's stream to a committed data set.

use bytes::Bytes;
use futures::StreamExt;
use gifthorse_api::name::{DatasetName, NameError};
use gifthorse_api::status::{invalid_field, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::upload_dataset_request::Content;
use gifthorse_dataset::Dtype;
use gifthorse_dataset::canonical::{GROUPS, IMAGES, LABELS};
use gifthorse_dataset::foreign::{ArrayOptions, ForeignKind, ReadOptions, ValueRange};
use gifthorse_dataset::preprocessing::ChannelOrder;
use gifthorse_dataset::wire;
use gifthorse_quarantine::{PrivateFolder, Quarantine};
use gifthorse_service::transfer::{self, UploadLimit};
use gifthorse_store::{
    DatasetContents, DatasetRecord, DatasetSource, Datasets, LabelSummary, OriginalName, PixelType,
    RequestId, StoreError,
};
use tonic::{Status, Streaming};

use crate::foreign::{self, ReadDataset};

/// What uploads need.
#[derive(Debug, Clone)]
pub(super) struct Uploader {
    pub(super) datasets: Datasets,
    pub(super) quarantine: Quarantine,
    pub(super) limit: UploadLimit,
}

struct Announced {
    name: DatasetName,
    file_name: OriginalName,
    request_id: Option<RequestId>,
    expected_sha256: String,
    options: ReadOptions,
}

impl Uploader {
    /// Takes the stream to its end. Dropping the future kills the reader and leaves nothing visible.
    pub(super) async fn upload(
        &self,
        mut stream: Streaming<v1::UploadDatasetRequest>,
    ) -> Result<DatasetRecord, Status> {
        let announced = announced(stream.message().await?)?;
        let folder = PrivateFolder::create().map_err(|error| status_of(&error))?;
        let chunks = stream.map(|message| chunk(message?));
        let received =
            transfer::receive(Box::pin(chunks), &folder.path().join(foreign::SOURCE), self.limit).await?;
        transfer::check_announced(&received, &announced.expected_sha256)
            .map_err(|error| status_of(&error))?;
        let read: ReadDataset = self
            .quarantine
            .run_in(folder.path(), foreign::READ_DATASET, &announced.options)
            .await
            .map_err(|error| status_of(&error))?;
        self.store(announced, &folder, read).await.map_err(|error| status_of(&error))
    }

    async fn store(
        &self,
        announced: Announced,
        folder: &PrivateFolder,
        read: ReadDataset,
    ) -> Result<DatasetRecord, StoreError> {
        let mut writer = self.datasets.begin(&announced.name.0, announced.request_id);
        let canonical = folder.path().join(foreign::CANONICAL);
        let files = [IMAGES, LABELS].into_iter().chain(read.summary.has_groups.then_some(GROUPS));
        for file in files {
            let put = async { writer.put_path(file.parse()?, &canonical.join(file)).await };
            if let Err(error) = put.await {
                // What cannot be removed now is removed by a later sweep.
                if let Err(left) = writer.abandon().await {
                    tracing::warn!(error = %left, "an abandoned upload leaves files behind");
                }
                return Err(error);
            }
        }
        let contents = contents(read, announced.file_name);
        writer.commit(contents).await.map(gifthorse_store::Committed::into_record)
    }
}

fn contents(read: ReadDataset, file_name: OriginalName) -> DatasetContents {
    let ReadDataset { kind, summary, group_count } = read;
    DatasetContents {
        image_count: summary.count,
        // The reader's limits on images keep these far below 2^32.
        height: summary.size.height as u32,
        width: summary.size.width as u32,
        channels: summary.size.channels as u32,
        pixel_type: match summary.dtype {
            Dtype::Uint8 => PixelType::Uint8,
            Dtype::Float32 => PixelType::Float32,
        },
        labels: LabelSummary {
            class_count: summary.classes,
            lowest: summary.label_min,
            highest: summary.label_max,
        },
        group_count,
        duplicate_count: summary.duplicates,
        source: match kind {
            ForeignKind::Hdf5 => DatasetSource::Hdf5,
            ForeignKind::Npz => DatasetSource::Npz,
            ForeignKind::FolderTar => DatasetSource::ImageFolder,
        },
        file_name,
    }
}

fn announced(first: Option<v1::UploadDatasetRequest>) -> Result<Announced, Status> {
    let Some(Content::Specification(message)) = first.and_then(|request| request.content) else {
        return Err(invalid_field("specification", "is missing: the first message says what is coming"));
    };
    let name: DatasetName = message.dataset.parse().map_err(|error: NameError| status_of(&error))?;
    let request_id = match message.request_id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|error: StoreError| status_of(&error))?),
    };
    let layout = wire::layout(message.layout).map_err(|error| status_of(&error))?;
    let channel_order = wire::channel_order(message.channel_order).map_err(|error| status_of(&error))?;
    let value_range = match message.value_range {
        // Left out: bytes need none, and floats are levels of 0..255 by the contract.
        0.0 | 255.0 => ValueRange::Levels,
        1.0 => ValueRange::Unit,
        other => return Err(invalid_field("value_range", &format!("is {other}: give 255 or 1"))),
    };
    let named = |key: &str| (!key.is_empty()).then(|| key.to_owned());
    let arrays = ArrayOptions {
        images_key: named(&message.images_key),
        labels_key: named(&message.labels_key),
        groups_key: named(&message.groups_key),
        layout,
        value_range: Some(value_range),
    };
    let options = ReadOptions {
        channel_order: channel_order.unwrap_or(ChannelOrder::Rgb),
        arrays,
        ..ReadOptions::default()
    };
    let file_name = OriginalName::from(message.file_name.as_str());
    Ok(Announced { name, file_name, request_id, expected_sha256: message.expected_sha256, options })
}

fn chunk(message: v1::UploadDatasetRequest) -> Result<Bytes, Status> {
    match message.content {
        Some(Content::Chunk(chunk)) => Ok(chunk),
        Some(Content::Specification(_)) => Err(invalid_field("specification", "came twice")),
        None => Err(invalid_field("content", "is missing: send a chunk")),
    }
}
