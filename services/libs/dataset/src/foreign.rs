//! Foreign data-set files, made into the canonical form.
//!
//! Everything a foreign file says is distrusted: shapes are checked against the limits before memory is
//! reserved, images are read in blocks, and nothing outside the named file is ever opened. These functions
//! are meant to run inside a quarantined reader all the same, for libhdf5 can crash on bad files.

mod axes;
mod blocks;
mod entries;
mod folder;
mod hdf5;
mod keys;
mod labels_csv;
mod npz;
mod numbers;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::canonical::Summary;
use crate::error::DatasetError;
use crate::picture::PictureLimits;
use crate::preprocessing::{AlphaRule, ChannelOrder, Layout, ResizeRule};

/// The kind of file a data set comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignKind {
    /// HDF5 with one data set each for images, labels and groups.
    Hdf5,
    /// `NumPy`'s `.npz` with one array each for images, labels and groups.
    Npz,
    /// A tar archive of an image folder: `LABEL/file.png`, or any layout with a `labels.csv` at its root.
    FolderTar,
}

/// What float levels mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueRange {
    /// 0 to 255.
    Levels,
    /// 0 to 1, to be multiplied by 255.
    Unit,
}

/// Which of an HDF5 or NPZ file's arrays are which, and what their axes and values mean.
///
/// Named arrays are looked for under that name only; otherwise under `data`, `images`, `image`, `x`, `X`;
/// `label`, `labels`, `y`, `Y`; `group`, `groups`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArrayOptions {
    /// Name of the images' array.
    pub images_key: Option<String>,
    /// Name of the labels' array, such as `true_label`.
    pub labels_key: Option<String>,
    /// Name of the groups' array.
    pub groups_key: Option<String>,
    /// The images' axes, where their shape leaves them open.
    pub layout: Option<Layout>,
    /// What float levels mean; must be given for them, is 0..255 for whole numbers.
    pub value_range: Option<ValueRange>,
}

/// How the pictures of an image folder become images of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureOptions {
    /// Store one grey channel instead of three colours.
    pub grey: bool,
    /// What becomes of alpha channels.
    pub alpha: AlphaRule,
    /// Resize to this; without it all pictures must have the first one's size.
    pub fit: Option<Fit>,
    /// The largest picture that is decoded.
    pub limits: PictureLimits,
}

impl Default for PictureOptions {
    /// Three colours, no alpha, one size, pictures of the usual limits.
    fn default() -> Self {
        Self { grey: false, alpha: AlphaRule::Refuse, fit: None, limits: PictureLimits::default() }
    }
}

/// A size and the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// How other sizes are brought to it.
    pub rule: ResizeRule,
}

/// The largest data set that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadLimits {
    /// Images.
    pub max_images: u64,
    /// Bytes of all images as they are stored.
    pub max_bytes: u64,
}

impl Default for ReadLimits {
    /// Two million images, 16 GiB.
    fn default() -> Self {
        Self { max_images: 2_000_000, max_bytes: 16 << 30 }
    }
}

/// How a foreign file is to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// Colours of the file's channels: `rgb`, or `bgr` for files stored with red and blue swapped, which are
    /// stored in the right order from then on. Files of one channel are grey whatever this says.
    pub channel_order: ChannelOrder,
    /// For HDF5 and NPZ.
    pub arrays: ArrayOptions,
    /// For image folders.
    pub pictures: PictureOptions,
    /// The largest data set that is read.
    pub limits: ReadLimits,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            channel_order: ChannelOrder::Rgb,
            arrays: ArrayOptions::default(),
            pictures: PictureOptions::default(),
            limits: ReadLimits::default(),
        }
    }
}

impl ReadOptions {
    /// Whether the file's first and third channels change places.
    fn swaps_colours(&self) -> Result<bool, DatasetError> {
        match self.channel_order {
            ChannelOrder::Rgb => Ok(false),
            ChannelOrder::Bgr => Ok(true),
            ChannelOrder::Grey => Err(DatasetError::Option {
                option: "channel_order",
                fault: "is grey: it names the colours of a file's channels, give rgb or bgr".to_owned(),
            }),
        }
    }
}

/// One foreign file to read, in the form it is handed to a quarantined reader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The file.
    pub source: PathBuf,
    /// Its kind.
    pub kind: ForeignKind,
    /// How to read it.
    #[serde(default)]
    pub options: ReadOptions,
    /// The existing, empty folder for the canonical form.
    pub target: PathBuf,
}

/// Reads a foreign file and writes its canonical form into the request's target folder.
pub fn read(request: &ReadRequest) -> Result<Summary, DatasetError> {
    let ReadRequest { source, kind, options, target } = request;
    match kind {
        ForeignKind::Hdf5 => hdf5::read(source, options, target),
        ForeignKind::Npz => npz::read(source, options, target),
        ForeignKind::FolderTar => folder::read(source, options, target),
    }
}

/// The kind that the first bytes of a file show: HDF5, zip (NPZ) or tar.
pub fn sniff(beginning: &[u8]) -> Option<ForeignKind> {
    if beginning.starts_with(b"\x89HDF\r\n\x1a\n") {
        Some(ForeignKind::Hdf5)
    } else if beginning.starts_with(b"PK\x03\x04") {
        Some(ForeignKind::Npz)
    } else if beginning.get(257..262) == Some(b"ustar") {
        Some(ForeignKind::FolderTar)
    } else {
        None
    }
}

fn damaged(path: &Path, fault: impl std::fmt::Display) -> DatasetError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    DatasetError::Damaged { fault: format!("{name}: {fault}") }
}
