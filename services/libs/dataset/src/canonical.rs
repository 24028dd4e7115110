//! The one form in which data sets are stored.
//!
//! A folder with `images.npy` (`uint8` or `float32`, `[N, H, W, C]`, levels 0..255; the channels are red,
//! green, blue, or the same with alpha, or grey alone), `labels.npy` (`int64`, `[N]`) and, where the images
//! come in groups, `groups.npy` (`int64`, `[N]`). Any `NumPy` opens them.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::DatasetError;
use crate::npy::{Element, NpyHeader, WRITTEN_HEADER};

/// File of the images.
pub const IMAGES: &str = "images.npy";
/// File of the labels.
pub const LABELS: &str = "labels.npy";
/// File of the groups.
pub const GROUPS: &str = "groups.npy";

/// The largest class number: it bounds the summary.
pub const MAX_LABEL: i64 = 99_999;

/// The type of stored pixel levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Levels 0 to 255.
    Uint8,
    /// Levels 0.0 to 255.0.
    Float32,
}

impl Dtype {
    pub(crate) const fn element(self) -> Element {
        match self {
            Self::Uint8 => Element::U8,
            Self::Float32 => Element::F32,
        }
    }

    /// Bytes of one level.
    pub const fn bytes(self) -> usize {
        self.element().bytes()
    }
}

/// The sides all images of a data set have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSize {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
    /// Samples a pixel: 1, 3 or 4.
    pub channels: u64,
}

impl ImageSize {
    /// Samples of one image, if they can be counted.
    pub fn samples(self) -> Option<u64> {
        self.height.checked_mul(self.width)?.checked_mul(self.channels)
    }
}

/// What a stored data set is, for its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Images, N.
    pub count: u64,
    /// Their sides.
    #[serde(flatten)]
    pub size: ImageSize,
    /// The type of their levels.
    pub dtype: Dtype,
    /// Different labels.
    pub classes: u64,
    /// The smallest label.
    pub label_min: i64,
    /// The largest label.
    pub label_max: i64,
    /// Images of each label.
    pub class_counts: BTreeMap<i64, u64>,
    /// Whether there is a `groups.npy`.
    pub has_groups: bool,
    /// Images whose pixels are those of an earlier image.
    pub duplicates: u64,
}

/// Writes a data set image by image; the count need not be known before the end.
#[derive(Debug)]
pub struct CanonicalWriter {
    folder: PathBuf,
    images: BufWriter<File>,
    size: ImageSize,
    dtype: Dtype,
    count: u64,
    /// The first half of each image's SHA-256: 16 bytes tell as many images apart as can be stored.
    seen: HashSet<[u8; 16]>,
    duplicates: u64,
}

impl CanonicalWriter {
    /// Begins a data set in `folder`, which must exist and hold none.
    pub fn create(folder: &Path, size: ImageSize, dtype: Dtype) -> Result<Self, DatasetError> {
        let path = folder.join(IMAGES);
        let mut images =
            BufWriter::new(File::create_new(&path).map_err(DatasetError::file("create", &path))?);
        images.write_all(&[0; WRITTEN_HEADER]).map_err(DatasetError::file("write", &path))?;
        let folder = folder.to_owned();
        Ok(Self { folder, images, size, dtype, count: 0, seen: HashSet::new(), duplicates: 0 })
    }

    /// Appends whole `uint8` images, `[n, H, W, C]`.
    pub fn push_u8(&mut self, levels: &[u8]) -> Result<(), DatasetError> {
        self.push(Dtype::Uint8, levels)
    }

    /// Appends whole `float32` images, `[n, H, W, C]`.
    pub fn push_f32(&mut self, levels: &[f32]) -> Result<(), DatasetError> {
        let bytes: Vec<u8> = levels.iter().flat_map(|level| level.to_le_bytes()).collect();
        self.push(Dtype::Float32, &bytes)
    }

    /// How many images have been appended.
    pub const fn count(&self) -> u64 {
        self.count
    }

    fn push(&mut self, dtype: Dtype, bytes: &[u8]) -> Result<(), DatasetError> {
        let image = self.size.samples().unwrap_or(0) as usize * self.dtype.bytes();
        if dtype != self.dtype || image == 0 || !bytes.len().is_multiple_of(image) {
            let fault = format!(
                "{} bytes of {dtype:?} are no whole images of {:?} {:?}",
                bytes.len(),
                self.size,
                self.dtype
            );
            return Err(DatasetError::Inconsistent { fault });
        }
        for image in bytes.chunks_exact(image) {
            let mut digest = [0; 16];
            digest.copy_from_slice(&Sha256::digest(image)[..16]);
            self.duplicates += u64::from(!self.seen.insert(digest));
            self.count += 1;
        }
        self.images.write_all(bytes).map_err(DatasetError::file("write", &self.folder.join(IMAGES)))
    }

    /// Ends the data set: writes labels, groups and the images' header, and sums up.
    pub fn finish(mut self, labels: &[i64], groups: Option<&[i64]>) -> Result<Summary, DatasetError> {
        if self.count == 0 {
            return Err(DatasetError::Inconsistent { fault: "it holds no images".to_owned() });
        }
        check_numbers("label", labels, self.count, MAX_LABEL)?;
        write_numbers(&self.folder.join(LABELS), labels)?;
        if let Some(groups) = groups {
            check_numbers("group", groups, self.count, i64::MAX)?;
            write_numbers(&self.folder.join(GROUPS), groups)?;
        }
        let ImageSize { height, width, channels } = self.size;
        let header = header(self.dtype.element(), vec![self.count, height, width, channels])?;
        let path = self.folder.join(IMAGES);
        self.images
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.images.write_all(&header))
            .and_then(|()| self.images.flush())
            .and_then(|()| self.images.get_ref().sync_all())
            .map_err(DatasetError::file("write", &path))?;
        Ok(self.summary(labels, groups.is_some()))
    }

    fn summary(&self, labels: &[i64], has_groups: bool) -> Summary {
        let mut class_counts = BTreeMap::new();
        for label in labels {
            *class_counts.entry(*label).or_insert(0) += 1;
        }
        Summary {
            count: self.count,
            size: self.size,
            dtype: self.dtype,
            classes: class_counts.len() as u64,
            label_min: class_counts.first_key_value().map_or(0, |(label, _)| *label),
            label_max: class_counts.last_key_value().map_or(0, |(label, _)| *label),
            class_counts,
            has_groups,
            duplicates: self.duplicates,
        }
    }
}

fn check_numbers(kind: &'static str, numbers: &[i64], count: u64, max: i64) -> Result<(), DatasetError> {
    if numbers.len() as u64 != count {
        let fault = format!("it has {count} images and {} {kind}s", numbers.len());
        return Err(DatasetError::Inconsistent { fault });
    }
    match numbers.iter().position(|number| !(0..=max).contains(number)) {
        Some(row) => Err(DatasetError::Label { kind, row, value: numbers[row].to_string(), max }),
        None => Ok(()),
    }
}

fn header(element: Element, shape: Vec<u64>) -> Result<[u8; WRITTEN_HEADER], DatasetError> {
    let header = NpyHeader { element, shape, fortran_order: false };
    let unwritable = || DatasetError::Inconsistent { fault: "its shape has too many digits".to_owned() };
    header.written().ok_or_else(unwritable)
}

fn write_numbers(path: &Path, numbers: &[i64]) -> Result<(), DatasetError> {
    let mut bytes = header(Element::I64, vec![numbers.len() as u64])?.to_vec();
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    File::create_new(path)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .map_err(DatasetError::file("write", path))
}
