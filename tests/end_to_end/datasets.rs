//! Data sets from upload to deletion.

use std::io::{Cursor, Write};
use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::datasets_client::DatasetsClient;
use gifthorse_tests::house::House;
use ndarray::{Array1, Array4};
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::calls::assert_refused;
use crate::support::pictures::{levels, png};

/// Labels of the images; the fourth image is equal to the second.
const LABELS: [i64; 5] = [0, 2, 2, 2, 7];

/// `[5, 3, 6, 5]` bytes, channels first like the course data.
fn images() -> Array4<u8> {
    let seed = |index: usize| if index == 3 { 1 } else { index };
    Array4::from_shape_fn((5, 3, 6, 5), |(index, channel, row, column)| {
        levels(seed(index))[(row * 5 + column) * 3 + channel]
    })
}

fn write_hdf5(path: &Path, labels: &[i64], groups: Option<&[i64]>) {
    let file = hdf5::File::create(path).unwrap();
    file.new_dataset_builder().with_data(&images()).create("data").unwrap();
    file.new_dataset_builder().with_data(&Array1::from(labels.to_vec())).create("label").unwrap();
    if let Some(groups) = groups {
        file.new_dataset_builder().with_data(&Array1::from(groups.to_vec())).create("group").unwrap();
    }
    file.close().unwrap();
}

/// `NumPy`'s format 1.0.
fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let length = u16::try_from(head.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), head.as_bytes(), data].concat()
}

fn write_npz(path: &Path) {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let pixels: Vec<u8> = images().into_iter().collect();
    let labels: Vec<u8> = LABELS.iter().flat_map(|label| label.to_le_bytes()).collect();
    for (name, content) in
        [("data.npy", npy("|u1", "(5, 3, 6, 5)", &pixels)), ("label.npy", npy("<i8", "(5,)", &labels))]
    {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(&content).unwrap();
    }
    std::fs::write(path, archive.finish().unwrap().into_inner()).unwrap();
}

/// Pictures in folders named by their class.
fn write_folder(path: &Path) {
    for (index, label) in LABELS.iter().enumerate() {
        let class = path.join(label.to_string());
        std::fs::create_dir_all(&class).unwrap();
        let seed = if index == 3 { 1 } else { index };
        std::fs::write(class.join(format!("{index}.png")), png(&levels(seed))).unwrap();
    }
}

fn refused(house: &House, arguments: &[&str]) -> Value {
    let output = house.command(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stderr).expect("the error is an object")
}

fn add(house: &House, name: &str, path: &Path) -> Value {
    house.json(&["dataset", "add", name, &path.to_string_lossy()]).remove(0)
}

#[tokio::test]
async fn every_kind_of_file_becomes_the_same_data_set() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_hdf5(&at("a.h5"), &LABELS, None);
    write_npz(&at("a.npz"));
    write_folder(&at("pictures"));
    let mut digests = Vec::new();
    for (name, file, source) in
        [("hdf5", "a.h5", "HDF5"), ("npz", "a.npz", "NPZ"), ("folder", "pictures", "IMAGE_FOLDER")]
    {
        let added = add(&house, name, &at(file));
        assert_eq!(added["name"], format!("datasets/{name}"));
        assert_eq!(added["source"], source);
        assert_eq!(added["imageCount"], "5");
        for (side, length) in [("height", 6), ("width", 5), ("channels", 3), ("classCount", 3)] {
            assert_eq!(added[side], length, "{side}");
        }
        assert_eq!((&added["lowestLabel"], &added["highestLabel"]), (&"0".into(), &"7".into()));
        assert_eq!(added["duplicateCount"], "1", "{name}");
        assert_eq!(added["hasGroups"], false);
        assert_eq!(house.json(&["dataset", "show", name]), std::slice::from_ref(&added));
        digests.push(added["digest"].clone());
    }
    assert_eq!(digests[0], digests[1], "the identity is that of the content, not of the file");
    assert_eq!(digests[0], digests[2], "labels rise with the folders, so the order is the same");
    let listed = house.json(&["dataset", "list"]);
    let names: Vec<_> = listed.iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasets/folder", "datasets/hdf5", "datasets/npz"]);
}

#[tokio::test]
async fn a_data_set_never_changes() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    write_hdf5(&first, &LABELS, None);
    write_hdf5(&second, &[0, 2, 2, 2, 8], None);
    let added = add(&house, "clean", &first);
    assert_eq!(add(&house, "clean", &first), added, "the same content again is no change");
    let second = second.to_string_lossy();
    let error = refused(&house, &["dataset", "add", "clean", &second]);
    assert_eq!(error["error"]["code"], "ALREADY_EXISTS");
    assert_eq!(house.json(&["dataset", "show", "clean"]), [added]);

    house.json(&["dataset", "delete", "clean"]);
    assert_eq!(refused(&house, &["dataset", "show", "clean"])["error"]["code"], "DATASET_NOT_FOUND");
    assert_eq!(refused(&house, &["dataset", "delete", "clean"])["error"]["code"], "DATASET_NOT_FOUND");
    assert_eq!(house.json(&["dataset", "list"]), [] as [Value; 0]);
    let again = house.json(&["dataset", "add", "clean", &second]).remove(0);
    assert_eq!(again["highestLabel"], "8", "the name is free after the deletion");
}

#[tokio::test]
async fn groups_are_kept_and_counted() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    write_hdf5(&path, &LABELS, Some(&[4, 4, 9, 4, 1]));
    let added = add(&house, "grouped", &path);
    assert_eq!((&added["hasGroups"], &added["groupCount"]), (&true.into(), &"3".into()));
    let files: Vec<_> =
        added["files"].as_array().unwrap().iter().map(|file| file["fileName"].as_str().unwrap()).collect();
    assert_eq!(files.len(), 3, "{files:?}");

    let pictures = folder.path().join("pictures");
    write_folder(&pictures);
    let table = "file,label,group\n0/0.png,0,4\n2/1.png,2,4\n2/2.png,2,9\n2/3.png,2,4\n7/4.png,7,1\n";
    std::fs::write(pictures.join("labels.csv"), table).unwrap();
    let from_folder = add(&house, "table", &pictures);
    assert_eq!(from_folder["digest"], added["digest"]);
}

#[tokio::test]
async fn damaged_files_are_refused_and_leave_nothing() {
    let house = House::start().await;
    let folder = tempfile::tempdir().unwrap();
    write_hdf5(&folder.path().join("a.h5"), &LABELS, None);
    write_npz(&folder.path().join("a.npz"));
    for file in ["a.h5", "a.npz"] {
        let whole = std::fs::read(folder.path().join(file)).unwrap();
        for length in [0, 7, whole.len() / 2, whole.len() - 3] {
            let cut = folder.path().join("cut");
            std::fs::write(&cut, &whole[..length]).unwrap();
            let error = refused(&house, &["dataset", "add", "cut", &cut.to_string_lossy()]);
            let expected = if length == 0 { "INVALID_FIELD" } else { "DATASET_INVALID" };
            assert_eq!(error["error"]["code"], expected, "{file} cut to {length}: {error}");
        }
    }
    let short = folder.path().join("short.h5");
    write_hdf5(&short, &LABELS[..4], None);
    let error = refused(&house, &["dataset", "add", "cut", &short.to_string_lossy()]);
    assert_eq!(error["error"]["code"], "DATASET_INVALID", "{error}");
    assert_eq!(house.json(&["dataset", "list"]), [] as [Value; 0]);
}

#[tokio::test]
async fn names_and_pages_are_checked() {
    let house = House::start().await;
    let mut client = DatasetsClient::new(house.channel().await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    write_hdf5(&path, &LABELS, None);
    for name in ["b", "a", "c"] {
        add(&house, name, &path);
    }
    let list = |page_token: &str| v1::ListDatasetsRequest { page_size: 2, page_token: page_token.to_owned() };
    let first = client.list_datasets(list("")).await.unwrap().into_inner();
    let rest = client.list_datasets(list(&first.next_page_token)).await.unwrap().into_inner();
    let names: Vec<_> =
        first.datasets.iter().chain(&rest.datasets).map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["datasets/a", "datasets/b", "datasets/c"]);
    assert_eq!(rest.next_page_token, "");
    assert_refused(client.list_datasets(list("x")).await, ErrorCode::InvalidPageToken, "page token");
    for name in ["datasets/../a", "a", "datasets/A"] {
        let request = v1::GetDatasetRequest { name: name.to_owned() };
        assert_refused(client.get_dataset(request).await, ErrorCode::InvalidName, "");
    }
}
