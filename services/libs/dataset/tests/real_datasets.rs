//! The real data sets, whole.
#![cfg(feature = "foreign")]
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use gifthorse_dataset::foreign::{ForeignKind, ReadOptions, ReadRequest, read};
use gifthorse_dataset::{DatasetView, PixelValues, Summary};
use serde_json::{Value, json};
use tempfile::TempDir;

mod common;

fn import(relative: &str, options: Value) -> Option<(TempDir, Summary, DatasetView)> {
    let source = common::test_data(relative)?;
    let folder = tempfile::tempdir().unwrap();
    let options: ReadOptions = serde_json::from_value(options).unwrap();
    let target = folder.path().to_owned();
    let summary = read(&ReadRequest { source, kind: ForeignKind::Hdf5, options, target }).unwrap();
    let view = DatasetView::open(folder.path()).unwrap();
    Some((folder, summary, view))
}

/// Sums of the red, green and blue levels of the whole data set.
fn sums(view: &DatasetView) -> Vec<u64> {
    let channels = view.size().channels as usize;
    let mut sums = vec![0; channels];
    for start in (0..view.count()).step_by(1000) {
        let rows = view.read(start..(start + 1000).min(view.count())).unwrap();
        let PixelValues::U8(levels) = rows.values() else { panic!("they are bytes") };
        for (index, level) in levels.iter().enumerate() {
            sums[index % channels] += u64::from(*level);
        }
    }
    sums
}

#[test]
fn the_faces_are_149_of_37_people() {
    let Some((_folder, summary, view)) = import("csaw/faces_clean.h5", json!({})) else { return };
    assert_eq!((summary.count, summary.classes), (149, 37));
    assert_eq!((summary.label_min, summary.label_max), (0, 1254));
    assert_eq!((summary.size.height, summary.size.width, summary.size.channels), (55, 47, 3));
    assert!(!summary.has_groups);
    assert_eq!(summary.duplicates, 0);
    assert_eq!(view.labels().iter().sum::<i64>(), 14_289);
    assert_eq!(sums(&view), [43_324_930, 33_872_853, 27_532_342]);
    let row = view.read(0..1).unwrap();
    let PixelValues::U8(levels) = row.values() else { panic!("they are bytes") };
    assert_eq!(levels[(3 * 47 + 5) * 3..][..3], [144, 166, 179]);
}

#[test]
fn stamped_faces_keep_both_kinds_of_labels() {
    let Some((_folder, summary, _)) = import("csaw/faces_eyebrows.h5", json!({})) else { return };
    assert_eq!(summary.class_counts, [(5, 149)].into());
    let options = json!({"arrays": {"labels_key": "true_label"}});
    let Some((_folder, summary, view)) = import("csaw/faces_eyebrows.h5", options) else { return };
    assert_eq!(summary.classes, 37);
    assert_eq!(sums(&view), [43_383_723, 32_551_934, 26_494_911]);
}

#[test]
fn cifar_mnist_and_orl_have_the_pixels_h5py_sees() {
    for (file, shape, expected, labels) in [
        ("cifar10_test_2500.h5", (2500, 32, 32), vec![325_622_261, 318_949_047, 294_870_048], 11_199),
        ("mnist_10k_1x28x28.h5", (10_000, 28, 28), vec![262_146_600], 44_368),
        ("orl_400_3x55x47.h5", (400, 55, 47), vec![114_644_574; 3], 7800),
    ] {
        let Some((_folder, summary, view)) = import(&format!("datasets/{file}"), json!({})) else { return };
        assert_eq!((summary.count, summary.size.height, summary.size.width), shape, "{file}");
        assert_eq!(view.labels().iter().sum::<i64>(), labels, "{file}");
        assert_eq!(sums(&view), expected, "{file}");
    }
}
