//! What is sent: a file as it is, or a folder as a tar stream.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::chunks::CHUNK;
use super::folder::Folder;
use crate::error::CommandError;

/// A file or folder that was found and can be read.
#[derive(Debug)]
pub enum Source {
    /// One file.
    File {
        /// Where it is.
        path: PathBuf,
        /// The open file.
        file: File,
        /// Its size in bytes, where it has one (a pipe has none).
        size: Option<u64>,
    },
    /// A folder.
    Folder(Folder),
}

impl Source {
    /// Opens a file; a folder is refused.
    pub fn file(path: &Path) -> Result<Self, CommandError> {
        let unreadable = |source| CommandError::LocalFile { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self::File { path: path.to_owned(), file, size })
    }

    /// Opens a file, or lists a folder.
    pub fn file_or_folder(path: &Path) -> Result<Self, CommandError> {
        if path.is_dir() { Ok(Self::Folder(Folder::scan(path)?)) } else { Self::file(path) }
    }

    /// The last part of the path, as provenance.
    pub fn file_name(&self) -> String {
        let path = match self {
            Self::File { path, .. } => path,
            Self::Folder(folder) => folder.root(),
        };
        // `.` and `..` have no name of their own.
        let resolved = if path.file_name().is_none() { path.canonicalize().ok() } else { None };
        let named = resolved.as_deref().unwrap_or(path).file_name();
        named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Bytes to be sent, where that is known; the headers of a tar stream are not counted.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } => *size,
            Self::Folder(folder) => Some(folder.size()),
        }
    }

    /// SHA-256 of a file, lower-case hexadecimal; none for what can be read only once, and for folders.
    pub fn sha256(&self) -> Result<Option<String>, CommandError> {
        let Self::File { file, size: Some(_), .. } = self else { return Ok(None) };
        let digest = digest(file).map_err(|error| self.unreadable(error))?;
        Ok(Some(digest))
    }

    /// SHA-256 of all that would be sent, folders included; none for what can be read only once.
    pub fn content_sha256(&self) -> Result<Option<String>, CommandError> {
        let Self::Folder(folder) = self else { return self.sha256() };
        let mut sink = DigestSink(Sha256::new());
        folder.write_tar(&mut sink)?;
        Ok(Some(hex::encode(sink.0.finalize())))
    }

    /// Writes all of it.
    pub fn write_to(&self, sink: &mut impl Write) -> Result<(), CommandError> {
        match self {
            Self::File { file, .. } => {
                let mut file = file;
                io::copy(&mut file, sink).map(drop).map_err(|error| self.unreadable(error))
            }
            Self::Folder(folder) => folder.write_tar(sink),
        }
    }

    /// The error that says which source could not be read.
    pub(super) fn unreadable(&self, source: io::Error) -> CommandError {
        let path = match self {
            Self::File { path, .. } => path.clone(),
            Self::Folder(folder) => folder.root().to_owned(),
        };
        CommandError::LocalFile { path, source }
    }

    #[cfg(test)]
    pub(super) fn stub() -> Self {
        Self::Folder(Folder::empty())
    }
}

/// Takes bytes for nothing but their digest.
struct DigestSink(Sha256);

impl Write for DigestSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a file from here to its end, and goes back to its start.
fn digest(mut file: &File) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(buffer.get(..read).unwrap_or_default());
    }
    file.rewind()?;
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Source::file(folder.path()), Err(CommandError::LocalFile { .. })));
        assert!(matches!(Source::file(&folder.path().join("none")), Err(CommandError::LocalFile { .. })));
        let path = folder.path().join("a.h5");
        std::fs::write(&path, "seven b").unwrap();
        let source = Source::file_or_folder(&path).unwrap();
        assert_eq!((source.file_name().as_str(), source.size()), ("a.h5", Some(7)));
        let digest = hex::encode(Sha256::digest("seven b"));
        assert_eq!(source.sha256().unwrap(), Some(digest));
        let mut sink = Vec::new();
        source.write_to(&mut sink).unwrap();
        assert_eq!(sink, b"seven b");

        let folder = Source::file_or_folder(folder.path()).unwrap();
        let mut sink = Vec::new();
        folder.write_to(&mut sink).unwrap();
        assert_eq!(folder.content_sha256().unwrap(), Some(hex::encode(Sha256::digest(&sink))));
    }
}
