//! What only a directory needs: opening it, and the half-written files of killed processes.
//!
//! A directory store writes `NAME#1` beside `NAME` and links or renames it into place. No listing shows such a
//! file, so a process that is killed in between leaves bytes that only the file system can tell of.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use object_store::local::LocalFileSystem;

use crate::error::{Result, StoreError};

/// Opens a directory as a store, making it first where it is not there.
///
/// Writes are synced to the disk: a commit mark that survives a power cut without its files would be worthless.
pub(crate) fn open(folder: &Path) -> Result<LocalFileSystem> {
    let address = |reason: String| StoreError::Address { url: folder.display().to_string(), reason };
    fs::create_dir_all(folder).map_err(|error| address(format!("it cannot be made a directory: {error}")))?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| address(error.to_string()))?;
    Ok(store.with_fsync(true))
}

/// Removes half-written files below the folder that are older than `age`. Answers their paths.
pub(crate) fn remove_half_written(folder: &Path, age: Duration) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let found = visit(&folder, age, &mut folders);
        let found =
            found.map_err(|source| StoreError::LocalFile { operation: "sweep", path: folder, source })?;
        removed.extend(found.iter().map(|path| path.display().to_string()));
    }
    Ok(removed)
}

fn visit(folder: &Path, age: Duration, below: &mut Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut removed = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Others write and remove here at the same time; links are not followed.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            below.push(entry.path());
        } else if metadata.is_file() && is_half_written(&entry.file_name().to_string_lossy()) {
            let written = metadata.modified()?;
            let old = SystemTime::now().duration_since(written).is_ok_and(|found| found > age);
            if old && fs::remove_file(entry.path()).is_ok() {
                removed.push(entry.path());
            }
        }
    }
    Ok(removed)
}

fn is_half_written(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_half_written_files_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("models/lab3/1");
        fs::create_dir_all(&folder).unwrap();
        for name in ["model.onnx", "model.onnx#1", "source.h5#23", "notes#x"] {
            fs::write(folder.join(name), b"half").unwrap();
        }
        assert!(remove_half_written(root.path(), Duration::from_hours(1)).unwrap().is_empty());
        for entry in fs::read_dir(&folder).unwrap() {
            let file = fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
        }
        assert_eq!(remove_half_written(root.path(), Duration::from_hours(1)).unwrap().len(), 2);
        assert!(folder.join("model.onnx").exists() && folder.join("notes#x").exists());
        assert!(remove_half_written(&root.path().join("absent"), Duration::ZERO).unwrap().is_empty());
    }
}
