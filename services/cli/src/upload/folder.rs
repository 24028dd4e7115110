//! An image folder as a tar stream that is the same for the same files: sorted paths, no owners, no times.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::error::CommandError;

/// Why a folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is nothing in it.
    #[error(
        "{} holds no files: give a folder with subfolders named by class numbers, or with pictures and labels.csv",
        .path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Something in it is neither a file nor a folder.
    #[error("{} is neither a file nor a folder (links to folders are not followed): take it out", .path.display())]
    NotRegular {
        /// What was found.
        path: PathBuf,
    },
    /// A file grew or shrank between listing and packing.
    #[error("{} changed while it was read: try again when nothing writes to the folder", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Coded for FolderError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty { .. } | Self::NotRegular { .. } | Self::Changed { .. } => ErrorCode::DatasetInvalid,
        }
    }
}

/// The files of a folder, listed. Hidden files (`.DS_Store`) are left out; links to files count as files.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    files: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Below the root.
    path: PathBuf,
    size: u64,
}

impl Folder {
    /// Lists the files below `root`.
    pub fn scan(root: &Path) -> Result<Self, CommandError> {
        let mut files = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let folder = root.join(&below);
            let unreadable = |source| CommandError::LocalFile { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let path = below.join(entry.file_name());
                if entry.file_type().map_err(unreadable)?.is_dir() {
                    open.push(path);
                    continue;
                }
                // Follows links.
                let metadata = fs::metadata(entry.path())
                    .map_err(|source| CommandError::LocalFile { path: entry.path(), source })?;
                if !metadata.is_file() {
                    return Err(FolderError::NotRegular { path: entry.path() }.into());
                }
                files.push(Entry { path, size: metadata.len() });
            }
        }
        if files.is_empty() {
            return Err(FolderError::Empty { path: root.to_owned() }.into());
        }
        files.sort();
        Ok(Self { root: root.to_owned(), files })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Writes the tar stream.
    pub fn write_tar(&self, sink: &mut impl Write) -> Result<(), CommandError> {
        let mut archive = tar::Builder::new(sink);
        for entry in &self.files {
            let path = self.root.join(&entry.path);
            let unreadable = |source| CommandError::LocalFile { path: path.clone(), source };
            let mut file = File::open(&path).map_err(unreadable)?;
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(entry.size);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            // The header announces the listed size, so exactly that many bytes must follow.
            let mut content = (&mut file).take(entry.size);
            archive.append_data(&mut header, &entry.path, &mut content).map_err(unreadable)?;
            let short = content.limit() > 0;
            if short || file.read(&mut [0]).map_err(unreadable)? > 0 {
                return Err(FolderError::Changed { path }.into());
            }
        }
        let unreadable = |source: io::Error| CommandError::LocalFile { path: self.root.clone(), source };
        archive.into_inner().map(drop).map_err(unreadable)
    }

    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self { root: PathBuf::new(), files: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn packed(root: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        Folder::scan(root).unwrap().write_tar(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_stream_depends_on_names_and_content_alone() {
        let files = [("b/2.png", "two"), ("a/1.png", "one"), ("a/.DS_Store", "x"), ("labels.csv", "l")];
        let (first, second) = (folder(&files), folder(&[files[3], files[1], files[0]]));
        let bytes = packed(first.path());
        assert_eq!(bytes, packed(second.path()));

        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            found.push((entry.path().unwrap().display().to_string(), content));
        }
        let expected = [("a/1.png", "one"), ("b/2.png", "two"), ("labels.csv", "l")];
        assert_eq!(found, expected.map(|(path, content)| (path.to_owned(), content.to_owned())));
    }

    #[test]
    fn long_names_survive() {
        let name = format!("{}/{}.png", "class".repeat(20), "image".repeat(30));
        let root = folder(&[(&name, "x")]);
        let bytes = packed(root.path());
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().display().to_string(), name);
    }

    #[test]
    fn what_is_no_image_folder_is_refused() {
        let empty = folder(&[]);
        assert!(matches!(Folder::scan(empty.path()), Err(CommandError::Folder(FolderError::Empty { .. }))));
        let linked = folder(&[("a/1.png", "one")]);
        std::os::unix::fs::symlink("a", linked.path().join("b")).unwrap();
        let error = Folder::scan(linked.path()).unwrap_err();
        assert!(matches!(error, CommandError::Folder(FolderError::NotRegular { .. })), "{error}");
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let root = folder(&[("a/1.png", "one")]);
        let listed = Folder::scan(root.path()).unwrap();
        for content in ["o", "one and more"] {
            fs::write(root.path().join("a/1.png"), content).unwrap();
            let error = listed.write_tar(&mut Vec::new()).unwrap_err();
            assert!(matches!(error, CommandError::Folder(FolderError::Changed { .. })), "{error}");
        }
    }
}
