//! A file received in chunks: written beside its place, checked against what was announced, then moved there.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// Why an export did not become a file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The service suggests no usable name and none was given.
    #[error("the service suggests {suggested:?} as a file name, which cannot be used: give one by -o FILE")]
    NoName {
        /// What the service suggested.
        suggested: String,
    },
    /// The file is there already and nobody asked to replace it.
    #[error("{} exists already: name it by -o to replace it", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The disk refuses.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not as long as announced.
    #[error("{found} bytes arrived of {announced}: nothing was written; try again")]
    Length {
        /// Bytes announced.
        announced: i64,
        /// Bytes that arrived.
        found: u64,
    },
    /// The file is not the one announced.
    #[error("sha256 {found} arrived instead of {announced}: nothing was written; try again")]
    Digest {
        /// The digest announced.
        announced: String,
        /// The digest of what arrived.
        found: String,
    },
}

impl DownloadError {
    /// Whether another command line would help.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::NoName { .. } | Self::Exists { .. } => true,
            Self::Write { .. } | Self::Length { .. } | Self::Digest { .. } => false,
        }
    }
}

impl Coded for DownloadError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoName { .. } | Self::Write { .. } => ErrorCode::InvalidField,
            Self::Exists { .. } => ErrorCode::AlreadyExists,
            Self::Length { .. } | Self::Digest { .. } => ErrorCode::DigestMismatch,
        }
    }
}

/// Where an export shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) enum Target {
    /// This file, replaced when it exists.
    File(PathBuf),
    /// This folder, under the service's name for it; nothing is replaced.
    Folder(PathBuf),
}

impl Target {
    /// The target of `-o`, or the working folder.
    pub(super) fn new(output: Option<PathBuf>) -> Self {
        match output {
            None => Self::Folder(PathBuf::new()),
            Some(path) if path.is_dir() => Self::Folder(path),
            Some(path) => Self::File(path),
        }
    }

    /// Opens the file that was announced.
    pub(in crate::commands) fn begin(&self, announced: v1::ArtefactFile) -> Result<Download, DownloadError> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                // The suggestion comes over the network: only a plain name is taken.
                let suggested = Path::new(&announced.file_name);
                let plain = suggested.file_name().filter(|name| *name == suggested.as_os_str());
                let name =
                    plain.ok_or_else(|| DownloadError::NoName { suggested: announced.file_name.clone() })?;
                let path = folder.join(name);
                if path.exists() {
                    return Err(DownloadError::Exists { path });
                }
                path
            }
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // 0o666 less the user's mask, as for any file a program makes.
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|source| DownloadError::Write { path: path.clone(), source })?;
        Ok(Download { path, announced, file, digest: Sha256::new(), length: 0 })
    }
}

/// A file on its way.
#[derive(Debug)]
pub(in crate::commands) struct Download {
    path: PathBuf,
    announced: v1::ArtefactFile,
    file: NamedTempFile,
    digest: Sha256,
    length: u64,
}

impl Download {
    /// Takes the next chunk.
    pub(in crate::commands) fn write(&mut self, chunk: &[u8]) -> Result<(), DownloadError> {
        self.digest.update(chunk);
        self.length += chunk.len() as u64;
        let written = self.file.write_all(chunk);
        written.map_err(|source| DownloadError::Write { path: self.path.clone(), source })
    }

    /// Checks length and digest and puts the file in its place; gives the place and what was announced.
    pub(in crate::commands) fn finish(self) -> Result<(PathBuf, v1::ArtefactFile), DownloadError> {
        let Self { path, announced, file, digest, length } = self;
        if u64::try_from(announced.size) != Ok(length) {
            return Err(DownloadError::Length { announced: announced.size, found: length });
        }
        let found = hex::encode(digest.finalize());
        if found != announced.sha256 {
            return Err(DownloadError::Digest { announced: announced.sha256, found });
        }
        match file.persist(&path) {
            Ok(_) => Ok((path, announced)),
            Err(error) => Err(DownloadError::Write { path, source: error.error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(name: &str, content: &[u8]) -> v1::ArtefactFile {
        v1::ArtefactFile {
            file_name: name.to_owned(),
            size: content.len() as i64,
            sha256: hex::encode(Sha256::digest(content)),
        }
    }

    #[test]
    fn a_whole_file_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::new(Some(folder.path().to_owned()));
        let mut download = target.begin(announced("model.onnx", b"seven b")).unwrap();
        download.write(b"seven").unwrap();
        download.write(b" b").unwrap();
        let (path, _) = download.finish().unwrap();
        assert_eq!(path, folder.path().join("model.onnx"));
        assert_eq!(std::fs::read(&path).unwrap(), b"seven b");

        let again = target.begin(announced("model.onnx", b"seven b"));
        assert!(matches!(again, Err(DownloadError::Exists { .. })), "a suggested name replaces nothing");
        let named = Target::new(Some(path)).begin(announced("x", b"")).unwrap();
        let (path, _) = named.finish().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"", "a given name is replaced");
    }

    #[test]
    fn a_damaged_file_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::new(Some(folder.path().to_owned()));
        let mut short = target.begin(announced("a", b"seven b")).unwrap();
        short.write(b"seven").unwrap();
        assert!(matches!(short.finish(), Err(DownloadError::Length { announced: 7, found: 5 })));
        let mut other = target.begin(announced("a", b"seven b")).unwrap();
        other.write(b"seven c").unwrap();
        assert!(matches!(other.finish(), Err(DownloadError::Digest { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_suggested_name_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::new(Some(folder.path().to_owned()));
        for name in ["", "..", "../x", "/etc/x", "a/b", "a/"] {
            let begun = target.begin(announced(name, b""));
            assert!(matches!(begun, Err(DownloadError::NoName { .. })), "{name:?} must be refused");
        }
    }
}
