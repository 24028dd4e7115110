//! What the quarantined reader of this program does with a foreign data set.
//!
//! Runs in the child process only: libhdf5 may crash here, the service goes on.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::foreign::{ForeignKind, ReadOptions, ReadRequest, read, sniff};
use gifthorse_dataset::{DatasetError, DatasetView, Summary};
use gifthorse_quarantine::{RemoteFault, child};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Task: read a data set and write its canonical form.
pub(crate) const READ_DATASET: &str = "read-dataset";
/// The file as it came.
pub(crate) const SOURCE: &str = "source";
/// The folder of the canonical form.
pub(crate) const CANONICAL: &str = "canonical";

/// As much of a file as tells its kind: the tar signature ends at byte 262.
const BEGINNING: u64 = 512;

/// What came out of a foreign file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadDataset {
    pub(crate) kind: ForeignKind,
    pub(crate) summary: Summary,
    /// Distinct groups, where images come in groups.
    pub(crate) group_count: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
enum ReaderError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(
        "the file is no data set we read: give HDF5 or NPZ with `data` and `label`, or a folder of images"
    )]
    Kind,
    #[error("cannot {action} a temporary file: {source}")]
    File { action: &'static str, source: std::io::Error },
}

impl Coded for ReaderError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Dataset(error) => error.code(),
            Self::Kind => ErrorCode::DatasetInvalid,
            Self::File { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Dataset(error) => error.field(),
            Self::Kind | Self::File { .. } => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Dataset(error) => error.facts(),
            Self::Kind | Self::File { .. } => Vec::new(),
        }
    }
}

/// The tasks of this program's reader.
pub fn reader(task: &str, request: Value) -> Result<Value, RemoteFault> {
    match task {
        READ_DATASET => child::answer(request, read_dataset),
        unknown => Err(child::unknown_task(unknown)),
    }
}

/// The kind is read off the bytes, never off a name.
fn read_dataset(options: ReadOptions) -> Result<ReadDataset, ReaderError> {
    let mut beginning = Vec::new();
    File::open(SOURCE)
        .and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning))
        .map_err(|source| ReaderError::File { action: "read", source })?;
    let kind = sniff(&beginning).ok_or(ReaderError::Kind)?;
    std::fs::create_dir(CANONICAL).map_err(|source| ReaderError::File { action: "create", source })?;
    let target = PathBuf::from(CANONICAL);
    let request = ReadRequest { source: PathBuf::from(SOURCE), kind, options, target };
    let summary = read(&request)?;
    let view = DatasetView::open(Path::new(CANONICAL))?;
    let group_count = view.groups().map(|groups| groups.iter().collect::<BTreeSet<_>>().len() as u64);
    Ok(ReadDataset { kind, summary, group_count })
}
