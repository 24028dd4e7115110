//! Reading data-set files: in a separate, limited process, for libhdf5 can crash on bad files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gifthorse_dataset::foreign::{ReadOptions, ReadRequest, read, sniff};
use gifthorse_dataset::{DatasetError, DatasetView, Dtype, PixelValues, Summary};
use gifthorse_quarantine::{PrivateFolder, Quarantine, QuarantineLimits, RemoteFault, child};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::LabError;
use crate::pictures::Pictures;

const READ: &str = "read-dataset";
const CANONICAL: &str = "canonical";
/// As much of a file as tells its kind: the tar signature ends at byte 262.
const BEGINNING: u64 = 512;
/// Pictures that are read at once.
const BLOCK: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    source: PathBuf,
}

/// The tasks of this program's reader.
pub fn reader(task: &str, request: Value) -> Result<Value, RemoteFault> {
    match task {
        READ => child::answer(request, read_in_child),
        unknown => Err(child::unknown_task(unknown)),
    }
}

/// The kind is read off the bytes, never off a name.
fn read_in_child(request: Request) -> Result<Summary, DatasetError> {
    let Request { source } = request;
    let mut beginning = Vec::new();
    let begun = File::open(&source).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    begun.map_err(|error| DatasetError::File {
        action: "read",
        path: source.display().to_string(),
        source: error,
    })?;
    let kind = sniff(&beginning).ok_or_else(|| DatasetError::Unsupported {
        what: format!("the file {}", source.display()),
        hint: "give HDF5 or NPZ with `data` and `label`, or a tar of an image folder",
    })?;
    let target = PathBuf::from(CANONICAL);
    std::fs::create_dir(&target).map_err(|error| DatasetError::File {
        action: "create",
        path: CANONICAL.to_owned(),
        source: error,
    })?;
    read(&ReadRequest { source, kind, options: ReadOptions::default(), target })
}

/// All pictures of a file of levels 0..255.
pub(crate) fn pictures(path: &Path) -> Result<Pictures, LabError> {
    let folder = PrivateFolder::create()?;
    let source = path.canonicalize().map_err(LabError::file("read", path))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(LabError::file("start a reader for", path))?;
    let quarantine = Quarantine::new(QuarantineLimits::default());
    let _: Summary = runtime.block_on(quarantine.run_in(folder.path(), READ, &Request { source }))?;
    let view = DatasetView::open(&folder.path().join(CANONICAL))?;
    if view.dtype() != Dtype::Uint8 {
        let fault = format!("{} holds floats: the lab works on whole levels 0..255", path.display());
        return Err(LabError::Data { fault });
    }
    let mut levels = Vec::with_capacity((view.size().samples().unwrap_or(0) * view.count()) as usize);
    let mut row = 0;
    while row < view.count() {
        let end = view.count().min(row + BLOCK);
        if let PixelValues::U8(block) = view.read(row..end)?.values() {
            levels.extend_from_slice(block);
        }
        row = end;
    }
    Pictures::new(view.size(), levels, view.labels().to_vec())
}
