//! Records of stored data sets as messages of the contract.

use gifthorse_api::v1;
use gifthorse_store::{DatasetRecord, DatasetSource};
use jiff::Timestamp;

/// A data set.
pub(super) fn dataset(record: &DatasetRecord) -> v1::Dataset {
    let contents = &record.contents;
    v1::Dataset {
        name: format!("datasets/{}", record.name),
        create_time: Some(timestamp(record.create_time)),
        image_count: contents.image_count as i64,
        height: contents.height as i32,
        width: contents.width as i32,
        channels: contents.channels as i32,
        class_count: contents.labels.class_count as i32,
        lowest_label: contents.labels.lowest,
        highest_label: contents.labels.highest,
        has_groups: contents.group_count.is_some(),
        group_count: contents.group_count.unwrap_or_default() as i64,
        duplicate_count: contents.duplicate_count as i64,
        source: match contents.source {
            DatasetSource::Hdf5 => v1::dataset::Source::Hdf5,
            DatasetSource::Npz => v1::dataset::Source::Npz,
            DatasetSource::ImageFolder => v1::dataset::Source::ImageFolder,
        }
        .into(),
        files: record
            .files
            .iter()
            .map(|(name, file)| v1::ArtefactFile {
                file_name: name.to_string(),
                size: file.size as i64,
                sha256: file.sha256.to_string(),
            })
            .collect(),
        digest: record.digest.to_string(),
    }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}
