//! The folder of an attempt. One that was left behind by a killed worker is removed by the next one.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// How the folders begin.
const PREFIX: &str = "gifthorse-worker-";
/// The file that is locked as long as the folder is in use; the lock goes with the process.
const LOCK: &str = "in-use";

/// A folder that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder among the temporary files of this machine.
    pub(crate) fn new() -> io::Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    fn within(parent: &Path) -> io::Result<Self> {
        // What cannot be removed now is left to the next one.
        let _ = remove_abandoned(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(parent)?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder without its file is being made, or removed, this very moment.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let used = Scratch::within(parent.path()).unwrap();
        let abandoned = parent.path().join(format!("{PREFIX}left"));
        std::fs::create_dir(&abandoned).unwrap();
        File::create_new(abandoned.join(LOCK)).unwrap();
        let another = Scratch::within(parent.path()).unwrap();
        assert!(used.path().is_dir() && another.path().is_dir());
        assert!(!abandoned.exists());
    }
}
