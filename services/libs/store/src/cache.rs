//! Copies of stored files on this machine, so that a file is fetched from a far store once.
//!
//! A copy lies under its SHA-256: what is stored is immutable, so it never goes stale, and whoever reads it compares it with
//! the digest that was asked for, as with the store itself. Processes may share the folder. Of too many copies those go that
//! were not used for longest.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::digest::Sha256Digest;
use crate::error::{Result, StoreError};
use crate::stored_file::StoredFile;

/// The copies.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Bytes of all copies together.
    bytes: u64,
}

impl Cache {
    /// Copies in this folder, which is made where it is missing.
    pub(crate) fn open(folder: PathBuf, bytes: u64) -> Result<Self> {
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(Self { folder, bytes }),
            Err(source) => {
                Err(StoreError::LocalFile { operation: "make the folder of copies", path: folder, source })
            }
        }
    }

    fn path(&self, file: StoredFile) -> PathBuf {
        self.folder.join(file.sha256.to_string())
    }

    /// The copy, opened; none where there is none. Its content is the caller's to check.
    pub(crate) fn find(&self, file: StoredFile) -> Option<File> {
        let path = self.path(file);
        let copy = File::open(&path).ok()?;
        if copy.metadata().ok()?.len() != file.size {
            self.forget(file);
            return None;
        }
        // Only the order in which copies go depends on it.
        let _ =
            File::options().append(true).open(&path).and_then(|copy| copy.set_modified(SystemTime::now()));
        Some(copy)
    }

    /// The whole copy, compared with its digest; none where there is no such copy.
    pub(crate) fn read(&self, file: StoredFile) -> Option<Bytes> {
        let mut content = Vec::with_capacity(file.size as usize);
        self.find(file)?.read_to_end(&mut content).ok()?;
        if Sha256Digest::of(&content) != file.sha256 {
            tracing::warn!(file = %file.sha256, "a copy on this machine is damaged, it is fetched anew");
            self.forget(file);
            return None;
        }
        Some(content.into())
    }

    /// Removes a copy that is not what it should be.
    pub(crate) fn forget(&self, file: StoredFile) {
        if let Err(error) = fs::remove_file(self.path(file))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, file = %file.sha256, "a copy could not be removed");
        }
    }

    /// Keeps a copy of a file that was fetched and verified. That it cannot be kept is no fault of the fetch.
    pub(crate) fn keep(&self, file: StoredFile, from: &Path) {
        self.keep_by(file, |partial| fs::copy(from, partial).map(drop));
    }

    /// [`Self::keep`] of what is in memory.
    pub(crate) fn keep_bytes(&self, file: StoredFile, content: &[u8]) {
        self.keep_by(file, |partial| fs::write(partial, content));
    }

    fn keep_by(&self, file: StoredFile, write: impl FnOnce(&Path) -> io::Result<()>) {
        if file.size > self.bytes {
            return;
        }
        let kept = self.make_room(file.size).and_then(|()| {
            let partial = NamedTempFile::new_in(&self.folder)?;
            write(partial.path())?;
            partial.persist(self.path(file)).map_err(|error| error.error)?;
            Ok(())
        });
        if let Err(error) = kept {
            tracing::warn!(%error, file = %file.sha256, "no copy of a stored file could be kept");
        }
    }

    /// Removes the copies that were not used for longest until so many bytes fit.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut copies = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Others remove copies at the same time.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                copies.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        copies.sort();
        let mut held: u64 = copies.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in copies {
            if held.saturating_add(bytes) <= self.bytes {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => held -= size,
            }
        }
        Ok(())
    }
}

/// The next part of a copy, `size` bytes long or shorter at its end.
pub(crate) fn part(mut copy: &File, size: usize) -> io::Result<Vec<u8>> {
    let mut part = Vec::with_capacity(size);
    copy.by_ref().take(size as u64).read_to_end(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(content: &[u8]) -> StoredFile {
        StoredFile { size: content.len() as u64, sha256: Sha256Digest::of(content) }
    }

    #[test]
    fn the_least_used_copies_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("copies"), 10).unwrap();
        let file = folder.path().join("file");
        let mut kept = Vec::new();
        for (age, content) in [(30_u64, b"aaaa"), (20, b"bbbb")] {
            fs::write(&file, content).unwrap();
            cache.keep(stored(content), &file);
            let copy = File::options().append(true).open(cache.path(stored(content))).unwrap();
            copy.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
            kept.push(stored(content));
        }
        // The older one is used, so the other one goes.
        assert_eq!(part(&cache.find(kept[0]).unwrap(), 100).unwrap(), b"aaaa");
        fs::write(&file, b"cccc").unwrap();
        cache.keep(stored(b"cccc"), &file);
        assert!(cache.find(kept[0]).is_some() && cache.find(kept[1]).is_none());
        // What does not fit at all is not kept, and costs nobody their copy.
        fs::write(&file, [0; 11]).unwrap();
        cache.keep(stored(&[0; 11]), &file);
        assert!(cache.find(stored(&[0; 11])).is_none() && cache.find(kept[0]).is_some());
    }

    #[test]
    fn a_damaged_copy_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), 100).unwrap();
        cache.keep_bytes(stored(b"whole"), b"whole");
        assert_eq!(cache.read(stored(b"whole")).unwrap(), "whole");
        fs::write(cache.path(stored(b"whole")), b"whale").unwrap();
        assert!(cache.read(stored(b"whole")).is_none());
        assert!(!cache.path(stored(b"whole")).exists());
    }

    #[test]
    fn a_copy_of_another_length_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), 100).unwrap();
        fs::write(cache.path(stored(b"whole")), b"ha").unwrap();
        assert!(cache.find(stored(b"whole")).is_none());
        assert!(!cache.path(stored(b"whole")).exists());
    }
}
