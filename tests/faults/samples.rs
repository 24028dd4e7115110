//! Small data sets of every kind, made here.

use std::io::{Cursor, Write as _};

use hdf5::File;
use ndarray::{Array1, Array4};
use zip::write::SimpleFileOptions;

use crate::png::{Colour, png};

const IMAGES: usize = 6;
const HEIGHT: usize = 5;
const WIDTH: usize = 4;
/// Samples of an image.
const SIZE: usize = HEIGHT * WIDTH * 3;

fn level(index: usize) -> u8 {
    (index * 37 % 256) as u8
}

fn label(index: usize) -> i64 {
    index as i64 % 3
}

/// HDF5: `data` `[6, 5, 4, 3]` bytes, `label` `[6]`.
pub(crate) fn hdf5() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.h5");
    let file = File::create(&path).unwrap();
    let images = Array4::from_shape_fn((IMAGES, HEIGHT, WIDTH, 3), |(n, y, x, c)| {
        level(n * SIZE + (y * WIDTH + x) * 3 + c)
    });
    let labels: Array1<i64> = (0..IMAGES).map(label).collect();
    file.new_dataset_builder().with_data(&images).create("data").unwrap();
    file.new_dataset_builder().with_data(&labels).create("label").unwrap();
    drop(file);
    std::fs::read(path).unwrap()
}

fn npy(kind: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // The format pads magic, version, length and header to a multiple of 64 bytes, the last a line feed.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), content].concat()
}

/// NPZ with the arrays of [`hdf5`].
pub(crate) fn npz() -> Vec<u8> {
    let images: Vec<u8> = (0..IMAGES * SIZE).map(level).collect();
    let labels: Vec<u8> = (0..IMAGES).flat_map(|index| label(index).to_le_bytes()).collect();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in
        [("data.npy", npy("|u1", "(6, 5, 4, 3)", &images)), ("label.npy", npy("<i8", "(6,)", &labels))]
    {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(&content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A tar archive of PNGs in folders named after their labels.
pub(crate) fn image_folder() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for index in 0..IMAGES {
        let samples: Vec<u8> = (0..SIZE).map(|at| level(index * SIZE + at)).collect();
        let picture = png(HEIGHT as u32, WIDTH as u32, Colour::Rgb, 8, &samples);
        let mut header = tar::Header::new_ustar();
        header.set_size(picture.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, format!("{}/{index}.png", label(index)), picture.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap()
}
