//! Foreign files of every kind, made here.
#![cfg(feature = "foreign")]
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::foreign::{ForeignKind, ReadOptions, ReadRequest, read, sniff};
use gifthorse_dataset::npy::{Element, NpyHeader};
use gifthorse_dataset::{DatasetError, DatasetView, Dtype, ImageRows, PixelValues, Summary};
use image::{DynamicImage, ImageFormat, RgbImage};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Two images of 2 x 2 pixels whose levels are hundreds by image, tens by channel, units by pixel.
const PLANES: [u8; 24] =
    [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 100, 101, 102, 103, 110, 111, 112, 113, 120, 121, 122, 123];
/// The same with the channels together.
const TOGETHER: [u8; 24] =
    [0, 10, 20, 1, 11, 21, 2, 12, 22, 3, 13, 23, 100, 110, 120, 101, 111, 121, 102, 112, 122, 103, 113, 123];
/// `TOGETHER` as the canonical form has it.
const SHAPE: [u64; 4] = [2, 2, 2, 3];

struct Outcome {
    result: Result<Summary, DatasetError>,
    target: TempDir,
}

impl Outcome {
    fn error(self) -> DatasetError {
        self.result.unwrap_err()
    }

    fn rows(&self) -> (DatasetView, ImageRows) {
        let view = DatasetView::open(self.target.path()).unwrap();
        let rows = view.read(0..view.count()).unwrap();
        (view, rows)
    }

    /// Asserts that the data set holds these levels and labels.
    fn assert_holds(&self, shape: [u64; 4], levels: &[u8], labels: &[i64]) {
        let summary = self.result.as_ref().unwrap();
        let (view, rows) = self.rows();
        assert_eq!(summary.count, view.count());
        assert_eq!(rows.shape(), shape);
        assert_eq!(rows.values(), PixelValues::U8(levels));
        assert_eq!(view.labels(), labels);
    }
}

fn import(path: &Path, kind: ForeignKind, options: Value) -> Outcome {
    let target = tempfile::tempdir().unwrap();
    let options: ReadOptions = serde_json::from_value(options).unwrap();
    let request = ReadRequest { source: path.to_owned(), kind, options, target: target.path().to_owned() };
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<ReadRequest>(&json).unwrap(), request);
    Outcome { result: read(&request), target }
}

fn import_bytes(bytes: &[u8], kind: ForeignKind, options: Value) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign");
    std::fs::write(&path, bytes).unwrap();
    import(&path, kind, options)
}

// --- HDF5 ---

fn hdf5_file(fill: impl FnOnce(&hdf5::File)) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.h5");
    fill(&hdf5::File::create(&path).unwrap());
    (folder, path)
}

fn put<T: hdf5::H5Type>(file: &hdf5::File, name: &str, shape: &[usize], values: &[T]) {
    let array = ndarray::ArrayView::from_shape(ndarray::IxDyn(shape), values).unwrap();
    file.new_dataset_builder().with_data(array).create(name).unwrap();
}

#[test]
fn hdf5_of_either_layout_becomes_the_same() {
    let (_first, planes) = hdf5_file(|file| {
        put(file, "data", &[2, 3, 2, 2], &PLANES);
        put(file, "label", &[2], &[7_i64, 3]);
        put(file, "true_label", &[2], &[1_u8, 2]);
    });
    let (_last, together) = hdf5_file(|file| {
        put(file, "x", &[2, 2, 2, 3], &TOGETHER);
        put(file, "y", &[2, 1], &[7.0_f32, 3.0]);
        put(file, "group", &[2], &[5_u16, 6]);
    });
    let imported = import(&planes, ForeignKind::Hdf5, json!({}));
    imported.assert_holds(SHAPE, &TOGETHER, &[7, 3]);
    let imported = import(&together, ForeignKind::Hdf5, json!({}));
    imported.assert_holds(SHAPE, &TOGETHER, &[7, 3]);
    assert_eq!(imported.rows().0.groups(), Some(&[5, 6][..]));
    let options = json!({"arrays": {"labels_key": "true_label"}, "channel_order": "bgr"});
    let swapped: Vec<u8> =
        TOGETHER.as_chunks::<3>().0.iter().flat_map(|&[red, green, blue]| [blue, green, red]).collect();
    import(&planes, ForeignKind::Hdf5, options).assert_holds(SHAPE, &swapped, &[1, 2]);
}

#[test]
fn hdf5_numbers_of_other_types_are_levels_or_refused() {
    let with = |fill: &dyn Fn(&hdf5::File), options: Value| {
        let (_folder, path) = hdf5_file(|file| {
            fill(file);
            put(file, "label", &[1], &[0_i32]);
        });
        import(&path, ForeignKind::Hdf5, options)
    };
    let shape = &[1, 2, 3][..];
    with(&|file| put(file, "data", shape, &[0_i64, 1, 2, 3, 4, 255]), json!({})).assert_holds(
        [1, 2, 3, 1],
        &[0, 1, 2, 3, 4, 255],
        &[0],
    );
    let error = with(&|file| put(file, "data", shape, &[0_i16, 1, 2, 3, -4, 255]), json!({})).error();
    assert!(matches!(error, DatasetError::Level { row: 0, .. }), "{error}");
    let floats = |values: [f64; 6]| move |file: &hdf5::File| put(file, "data", shape, &values);
    let even = floats([0.0, 0.5, 1.0, 0.25, 0.75, 0.125]);
    let error = with(&even, json!({})).error();
    assert!(error.to_string().contains("arrays.value_range"), "{error}");
    let unit = json!({"arrays": {"value_range": "unit"}});
    let imported = with(&even, unit.clone());
    assert_eq!(imported.result.as_ref().unwrap().dtype, Dtype::Float32);
    let expected = [0.0, 127.5, 255.0, 63.75, 191.25, 31.875];
    assert_eq!(imported.rows().1.values(), PixelValues::F32(&expected));
    for bad in [1.01, -0.01, f64::NAN, f64::INFINITY] {
        let error = with(&floats([0.0, bad, 0.0, 0.0, 0.0, 0.0]), unit.clone()).error();
        assert!(matches!(error, DatasetError::Level { row: 0, .. }), "{bad}: {error}");
    }
    let error = with(&|file| put(file, "data", shape, &[true; 6]), json!({})).error();
    assert!(matches!(error, DatasetError::Unsupported { .. }), "{error}");
}

#[test]
fn hdf5_is_read_in_blocks_of_its_pieces() {
    let (count, side) = (150_usize, 300_usize);
    let levels: Vec<u8> = (0..count * side * side).map(|index| (index / 7 % 256) as u8).collect();
    let labels: Vec<i64> = (0..count as i64).collect();
    let (_folder, path) = hdf5_file(|file| {
        let array = ndarray::ArrayView::from_shape((count, side, side), &levels).unwrap();
        file.new_dataset_builder().with_data(array).chunk((7, side, side)).deflate(1).create("data").unwrap();
        put(file, "label", &[count], &labels);
    });
    let shape = [count as u64, side as u64, side as u64, 1];
    import(&path, ForeignKind::Hdf5, json!({})).assert_holds(shape, &levels, &labels);
}

#[test]
fn hdf5_that_leads_out_of_the_file_is_refused() {
    let (_folder, path) = hdf5_file(|file| {
        file.link_external("/etc/passwd", "x", "data").unwrap();
        put(file, "label", &[1], &[0_i64]);
    });
    let error = import(&path, ForeignKind::Hdf5, json!({})).error();
    assert!(error.to_string().contains("no array of images"), "{error}");
    let (_folder, path) = hdf5_file(|file| {
        let outside = file.new_dataset::<u8>().shape((1, 1, 2, 3));
        outside.external("/etc/passwd", 0, 6).create("data").unwrap();
        put(file, "label", &[1], &[0_i64]);
    });
    let error = import(&path, ForeignKind::Hdf5, json!({})).error();
    assert!(error.to_string().contains("lie in other files"), "{error}");
}

#[test]
fn hdf5_that_does_not_fit_together_is_refused() {
    let code = |fill: &dyn Fn(&hdf5::File), options: Value| {
        let (_folder, path) = hdf5_file(|file| fill(file));
        import(&path, ForeignKind::Hdf5, options).error().code()
    };
    let images = |file: &hdf5::File| put(file, "data", &[2, 2, 2, 3], &TOGETHER);
    assert_eq!(code(&images, json!({})), ErrorCode::DatasetInvalid);
    let labels = |values: &'static [i64]| {
        move |file: &hdf5::File| {
            put(file, "data", &[2, 2, 2, 3], &TOGETHER);
            put(file, "label", &[values.len()], values);
        }
    };
    assert_eq!(code(&labels(&[1]), json!({})), ErrorCode::DatasetInvalid);
    assert_eq!(code(&labels(&[1, -1]), json!({})), ErrorCode::DatasetInvalid);
    assert_eq!(code(&labels(&[1, 1]), json!({"limits": {"max_images": 1}})), ErrorCode::TooLarge);
    assert_eq!(code(&labels(&[1, 1]), json!({"limits": {"max_bytes": 23}})), ErrorCode::TooLarge);
    assert_eq!(code(&labels(&[1, 1]), json!({"arrays": {"value_range": "unit"}})), ErrorCode::InvalidField);
    assert_eq!(code(&labels(&[1, 1]), json!({"channel_order": "grey"})), ErrorCode::InvalidField);
    let error = import_bytes(b"\x89HDF\r\n\x1a\nbut nothing more", ForeignKind::Hdf5, json!({})).error();
    assert_eq!(error.code(), ErrorCode::DatasetInvalid);
}

// --- NPZ ---

fn npy(name: &str, shape: &[u64], content: &[u8]) -> Vec<u8> {
    let element = Element::parse(name).unwrap();
    let header = NpyHeader { element, shape: shape.to_vec(), fortran_order: false };
    [&header.written().unwrap()[..], content].concat()
}

/// With the 64-bit sizes that `NumPy` always writes.
fn npz(arrays: &[(&str, Vec<u8>)], compression: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in arrays {
        let options = SimpleFileOptions::default().compression_method(compression).large_file(true);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn good_npz(compression: CompressionMethod) -> Vec<u8> {
    let labels: Vec<u8> = [7_i32, 3].iter().flat_map(|label| label.to_be_bytes()).collect();
    npz(&[("x", npy("|u1", &[2, 3, 2, 2], &PLANES)), ("y", npy(">i4", &[2], &labels))], compression)
}

#[test]
fn npz_stored_or_deflated_is_read() {
    for compression in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let imported = import_bytes(&good_npz(compression), ForeignKind::Npz, json!({}));
        imported.assert_holds(SHAPE, &TOGETHER, &[7, 3]);
    }
}

#[test]
fn npz_numbers_of_other_types_are_levels_or_refused() {
    let with = |name, content: &[u8], options| {
        let arrays = [("data", npy(name, &[1, 1, 3], content)), ("label", npy("|u1", &[1], &[1]))];
        import_bytes(&npz(&arrays, CompressionMethod::Deflated), ForeignKind::Npz, options)
    };
    with("<u2", &[1, 0, 255, 0, 7, 0], json!({})).assert_holds([1, 1, 3, 1], &[1, 255, 7], &[1]);
    let error = with("<u2", &[1, 0, 0, 1, 7, 0], json!({})).error();
    assert!(matches!(error, DatasetError::Level { value: 256.0, .. }), "{error}");
    let floats: Vec<u8> = [0.5_f32, 1.0, 255.0].iter().flat_map(|level| level.to_le_bytes()).collect();
    let imported = with("<f4", &floats, json!({"arrays": {"value_range": "levels"}}));
    assert_eq!(imported.rows().1.values(), PixelValues::F32(&[0.5, 1.0, 255.0]));
}

#[test]
fn npz_that_lies_about_its_length_is_refused() {
    let labels = ("y", npy("|u1", &[2], &[0, 0]));
    for (shape, words) in [
        ([2, 2, 5, 3], "ends before"),
        ([1, 2, 2, 3], "labels"),
        ([2, 2, 2, 3], "goes on after"),
        ([2, 8000, 8000, 3], "ends before"),
        ([2_000_000, 8000, 8000, 3], "the limit is"),
        ([u64::MAX, 8000, 8000, 3], "the limit is"),
    ] {
        let content = [&TOGETHER[..], &[7; 6]].concat();
        let arrays = [("x", npy("|u1", &shape, &content)), labels.clone()];
        let bytes = npz(&arrays, CompressionMethod::Deflated);
        let error = import_bytes(&bytes, ForeignKind::Npz, json!({})).error().to_string();
        assert!(error.contains(words), "{shape:?}: {error}");
    }
}

#[test]
fn npz_bombs_are_not_unfolded() {
    let zeros = vec![0; 64 << 20];
    let arrays = [("x", npy("|u1", &[1, 2, 2, 3], &zeros)), ("y", npy("|u1", &[1], &[0]))];
    let bytes = npz(&arrays, CompressionMethod::Deflated);
    assert!(bytes.len() < 1 << 20, "it is a bomb");
    let error = import_bytes(&bytes, ForeignKind::Npz, json!({})).error().to_string();
    assert!(error.contains("goes on after"), "{error}");
}

// --- image folders ---

fn png(width: u32, height: u32, level: u8) -> Vec<u8> {
    let image = RgbImage::from_pixel(width, height, image::Rgb([level, 0, 9]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // The builder itself refuses paths such as `../x`; an attacker's does not.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn import_tar(files: &[(&str, Vec<u8>)], options: Value) -> Outcome {
    import_bytes(&tar(files), ForeignKind::FolderTar, options)
}

#[test]
fn class_folders_are_read_in_their_order() {
    let files = [("./12/b.png", png(1, 1, 5)), ("0/a.png", png(1, 1, 6)), ("12/a.jpeg.png", png(1, 1, 5))];
    let imported = import_tar(&files, json!({}));
    imported.assert_holds([3, 1, 1, 3], &[5, 0, 9, 6, 0, 9, 5, 0, 9], &[12, 0, 12]);
    assert_eq!(imported.result.as_ref().unwrap().duplicates, 1);
    let swapped = import_tar(&files, json!({"channel_order": "bgr"}));
    swapped.assert_holds([3, 1, 1, 3], &[9, 0, 5, 9, 0, 6, 9, 0, 5], &[12, 0, 12]);
    let grey = import_tar(&files[..1], json!({"pictures": {"grey": true}}));
    grey.assert_holds([1, 1, 1, 1], &[3], &[12]);
}

#[test]
fn a_table_gives_labels_and_groups_from_wherever_it_stands() {
    let table = b"file,label,group\nb.png,2,20\ndeep/er/a.png,1,10\n".to_vec();
    let files = [("b.png", png(1, 1, 5)), ("labels.csv", table), ("deep/er/a.png", png(1, 1, 6))];
    let imported = import_tar(&files, json!({}));
    imported.assert_holds([2, 1, 1, 3], &[5, 0, 9, 6, 0, 9], &[2, 1]);
    assert_eq!(imported.rows().0.groups(), Some(&[20, 10][..]));
    let error = import_tar(&files[..2], json!({})).error().to_string();
    assert!(error.contains("deep/er/a.png") && error.contains("not there"), "{error}");
    let more = [files.as_slice(), &[("c.png", png(1, 1, 7))]].concat();
    let error = import_tar(&more, json!({})).error().to_string();
    assert!(error.contains("c.png") && error.contains("no line"), "{error}");
}

#[test]
fn pictures_of_other_sizes_need_a_fit() {
    let files = [("0/a.png", png(4, 4, 5)), ("0/b.png", png(8, 2, 5))];
    let error = import_tar(&files, json!({})).error();
    assert_eq!(error.code(), ErrorCode::DatasetInvalid);
    assert!(error.to_string().contains("2 x 8"), "{error}");
    let fit = json!({"pictures": {"fit": {"height": 1, "width": 2, "rule": {"filter": "triangle"}}}});
    import_tar(&files, fit).assert_holds([2, 1, 2, 3], &[5, 0, 9].repeat(4), &[0, 0]);
}

#[test]
fn folders_that_hold_something_else_are_refused_by_name() {
    for (path, content, words) in [
        ("0/notes.txt", b"hello".to_vec(), "no format we read"),
        ("0/empty.png", Vec::new(), "0 bytes"),
        ("cat/a.png", png(1, 1, 1), "class number"),
        ("a.png", png(1, 1, 1), "class number"),
        ("0/1/a.png", png(1, 1, 1), "class number"),
        ("100000/a.png", png(1, 1, 1), "class number"),
        ("../0/a.png", png(1, 1, 1), "plain names"),
        ("/0/a.png", png(1, 1, 1), "plain names"),
        ("0/../../a.png", png(1, 1, 1), "plain names"),
        ("1/a.png", png(1, 1, 1), "twice"),
        ("1/bomb.png", png(9, 9, 1), "pixels"),
    ] {
        let files = [("1/a.png", png(1, 1, 1)), (path, content)];
        let options = json!({"pictures": {"limits": {"max_pixels": 80}}});
        let error = import_tar(&files, options).error().to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
    assert!(import_tar(&[], json!({})).error().to_string().contains("no pictures"));
    let three = [("0/a.png", png(1, 1, 1)), ("0/b.png", png(1, 1, 1)), ("0/c.png", png(1, 1, 1))];
    let error = import_tar(&three, json!({"limits": {"max_images": 2}})).error();
    assert_eq!(error.code(), ErrorCode::TooLarge);
}

#[test]
fn links_and_cut_off_archives_are_refused() {
    let mut archive = tar::Builder::new(Vec::new());
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        archive.append_link(&mut header, "0/a.png", "/etc/passwd").unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    let error = import_bytes(&bytes, ForeignKind::FolderTar, json!({})).error().to_string();
    assert!(error.contains("no plain file"), "{error}");
    let whole = tar(&[("0/a.png", png(40, 40, 1))]);
    let error = import_bytes(&whole[..560], ForeignKind::FolderTar, json!({})).error();
    assert_eq!(error.code(), ErrorCode::DatasetInvalid, "{error}");
}

#[test]
fn kinds_are_told_by_their_first_bytes() {
    assert_eq!(sniff(&good_npz(CompressionMethod::Stored)), Some(ForeignKind::Npz));
    assert_eq!(sniff(&tar(&[("0/a.png", png(1, 1, 1))])), Some(ForeignKind::FolderTar));
    let (_folder, path) = hdf5_file(|file| put(file, "data", &[1], &[1_u8]));
    assert_eq!(sniff(&std::fs::read(path).unwrap()), Some(ForeignKind::Hdf5));
    assert_eq!(sniff(b"GIF89a"), None);
}

// HDF5 is left out: libhdf5 may crash on a bad file, which is why it is read in a quarantined process.
proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_never_panic(
        kind in prop::sample::select(vec![ForeignKind::Npz, ForeignKind::FolderTar]),
        compression in prop::sample::select(vec![CompressionMethod::Stored, CompressionMethod::Deflated]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = match kind {
            ForeignKind::Npz => good_npz(compression),
            _ => tar(&[("0/a.png", png(3, 2, 1)), ("1/b.png", png(3, 2, 2))]),
        };
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len() / 8));
        let limits = json!({"limits": {"max_bytes": 100_000}});
        let imported = import_bytes(&bytes, kind, limits);
        if imported.result.is_ok() {
            let (view, rows) = imported.rows();
            prop_assert_eq!(rows.shape()[0], view.labels().len() as u64);
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    for kind in [ForeignKind::Npz, ForeignKind::FolderTar, ForeignKind::Hdf5] {
        let error = import(Path::new("/nowhere/at/all"), kind, json!({})).error().to_string();
        assert!(error.contains("all"), "{error}");
    }
    assert!(File::open("/nowhere/at/all").is_err());
}
