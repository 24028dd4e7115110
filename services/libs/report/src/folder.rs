//! The folder that a report is written to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::ReportError;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Every file, the page among them, in the order of writing.
    pub files: Vec<PathBuf>,
}

/// Writes files into a folder and remembers them.
pub(crate) struct Writer<'a> {
    folder: &'a Path,
    files: Vec<PathBuf>,
}

impl<'a> Writer<'a> {
    /// A writer into this folder.
    pub(crate) const fn new(folder: &'a Path) -> Self {
        Self { folder, files: Vec::new() }
    }

    /// Writes a file; the folder it lies in is made if it is missing.
    pub(crate) fn write(&mut self, name: &str, content: &[u8]) -> Result<PathBuf, ReportError> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ReportError::file(folder))?;
        }
        fs::write(&path, content).map_err(ReportError::file(&path))?;
        self.files.push(path.clone());
        Ok(path)
    }

    /// Writes the page, which is the last file: where it is there, everything is.
    pub(crate) fn finish(mut self, page: &str) -> Result<Written, ReportError> {
        let page = self.write("report.html", page.as_bytes())?;
        Ok(Written { page, files: self.files })
    }
}
