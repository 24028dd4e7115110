//! The folder through which files go into and come out of a reader.

use std::path::Path;

use tempfile::TempDir;

use crate::error::QuarantineError;

/// A folder only this user can enter, removed with everything in it when dropped.
///
/// It is the reader's working directory and the home of its temporary files.
#[derive(Debug)]
pub struct PrivateFolder(TempDir);

impl PrivateFolder {
    /// A new, empty folder among the system's temporary files.
    pub fn create() -> Result<Self, QuarantineError> {
        let folder = tempfile::Builder::new().prefix("gifthorse-quarantine-").tempdir();
        folder.map(Self).map_err(QuarantineError::Folder)
    }

    /// A new, empty folder inside `parent`, which must exist: for outputs that are later moved there.
    pub fn create_in(parent: &Path) -> Result<Self, QuarantineError> {
        let folder = tempfile::Builder::new().prefix("gifthorse-quarantine-").tempdir_in(parent);
        folder.map(Self).map_err(QuarantineError::Folder)
    }

    /// Where it is, as an absolute path when the temporary folder's is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
