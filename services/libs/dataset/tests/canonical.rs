//! The stored form: written, read back, and refused when it is not what was stored.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::fs;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::canonical::CanonicalWriter;
use gifthorse_dataset::{DatasetError, DatasetView, Dtype, ImageSize, PixelValues, Preprocessing};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

const SIZE: ImageSize = ImageSize { height: 1, width: 2, channels: 3 };

/// Four images of two pixels, the last like the first.
fn stored() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CanonicalWriter::create(folder.path(), SIZE, Dtype::Uint8).unwrap();
    let levels: Vec<u8> = (0..18).collect();
    writer.push_u8(&levels).unwrap();
    writer.push_u8(&levels[..6]).unwrap();
    let summary = writer.finish(&[4, 4, 0, 2], Some(&[1, 1, 2, 9])).unwrap();
    let expected = json!({
        "count": 4, "height": 1, "width": 2, "channels": 3, "dtype": "uint8", "classes": 3,
        "label_min": 0, "label_max": 4, "class_counts": {"0": 1, "2": 1, "4": 2},
        "has_groups": true, "duplicates": 1
    });
    assert_eq!(serde_json::to_value(&summary).unwrap(), expected);
    let again: gifthorse_dataset::Summary = serde_json::from_value(expected).unwrap();
    assert_eq!(again, summary);
    folder
}

#[test]
fn rows_come_back_as_they_were_stored() {
    let folder = stored();
    let view = DatasetView::open(folder.path()).unwrap();
    assert_eq!((view.count(), view.size(), view.dtype()), (4, SIZE, Dtype::Uint8));
    assert_eq!(view.labels(), [4, 4, 0, 2]);
    assert_eq!(view.groups(), Some(&[1, 1, 2, 9][..]));
    let rows = view.read(1..3).unwrap();
    assert_eq!(rows.shape(), [2, 1, 2, 3]);
    assert_eq!(rows.values(), PixelValues::U8(&(6..18).collect::<Vec<u8>>()));
    let record: Preprocessing = serde_json::from_value(json!({
        "height": 1, "width": 2, "channels": 3, "layout": "nchw", "channel_order": "rgb", "scale": 2.0
    }))
    .unwrap();
    let tensor = view.read(1..2).unwrap().prepare(&record).unwrap();
    assert_eq!(tensor.values(), [3.0, 4.5, 3.5, 5.0, 4.0, 5.5]);
}

#[test]
fn floats_come_back_as_they_were_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CanonicalWriter::create(folder.path(), SIZE, Dtype::Float32).unwrap();
    writer.push_f32(&[0.0, 0.1, 0.2, 254.9, 255.0, 1.0]).unwrap();
    writer.finish(&[7], None).unwrap();
    let view = DatasetView::open(folder.path()).unwrap();
    assert_eq!(view.groups(), None);
    let rows = view.read(0..1).unwrap();
    assert_eq!(rows.values(), PixelValues::F32(&[0.0, 0.1, 0.2, 254.9, 255.0, 1.0]));
}

#[test]
fn rows_beyond_the_end_are_refused() {
    let folder = stored();
    let view = DatasetView::open(folder.path()).unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "that is what must be refused")]
    for rows in [0..5, 4..5, 2..2, 3..1, u64::MAX - 1..u64::MAX] {
        let error = view.read(rows.clone()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidField, "{rows:?}");
    }
}

#[test]
fn labels_must_fit_the_images() {
    for (labels, groups) in
        [(vec![1], None), (vec![1, -1], None), (vec![1, 100_000], None), (vec![1, 1], Some(vec![1]))]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = CanonicalWriter::create(folder.path(), SIZE, Dtype::Uint8).unwrap();
        writer.push_u8(&[0; 12]).unwrap();
        let error = writer.finish(&labels, groups.as_deref()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::DatasetInvalid, "{labels:?} {groups:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CanonicalWriter::create(folder.path(), SIZE, Dtype::Uint8).unwrap();
    assert!(writer.push_u8(&[0; 7]).is_err(), "seven levels are no whole image");
    assert!(writer.push_f32(&[0.0; 6]).is_err(), "floats are no bytes");
    assert!(writer.finish(&[], None).is_err(), "no images are no data set");
    assert!(CanonicalWriter::create(folder.path(), SIZE, Dtype::Uint8).is_err(), "nothing is overwritten");
}

#[test]
fn files_that_were_shortened_or_lengthened_are_refused() {
    for file in ["images.npy", "labels.npy", "groups.npy"] {
        for change in [-1_i64, 1] {
            let folder = stored();
            let path = folder.path().join(file);
            let length = fs::metadata(&path).unwrap().len().checked_add_signed(change).unwrap();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            let error = DatasetView::open(folder.path()).unwrap_err();
            assert!(matches!(error, DatasetError::Stored { .. }), "{file} {change}: {error}");
        }
    }
    let folder = stored();
    fs::remove_file(folder.path().join("labels.npy")).unwrap();
    assert_eq!(DatasetView::open(folder.path()).unwrap_err().code(), ErrorCode::Internal);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_headers_never_panic(
        file in prop::sample::select(vec!["images.npy", "labels.npy", "groups.npy"]),
        flips in prop::collection::vec((0..128_usize, any::<u8>()), 1..6),
    ) {
        let folder = stored();
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        for (place, value) in flips {
            bytes[place] = value;
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(view) = DatasetView::open(folder.path()) {
            prop_assert!(view.read(0..view.count()).is_ok());
        }
    }
}
