//! The data folder, held by one house at a time.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::UpError;

/// The file that is locked as long as a house lives in the folder. The lock belongs to the process: it is
/// gone when the process is, however that came about; the file stays.
const LOCK: &str = "up.lock";

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing and takes hold of it; none asks for the user's own.
    pub(super) fn claim(given: Option<&Path>) -> Result<Self, UpError> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                users_own(env::var_os("XDG_DATA_HOME"), env::var_os("HOME")).ok_or(UpError::NoDataFolder)?
            }
        };
        let unusable = |source: io::Error| UpError::DataFolder { path: path.clone(), source };
        fs::create_dir_all(Self::store(&path)).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let unusable = |source: io::Error| UpError::DataFolder { path: path.clone(), source };
        let options = File::options().read(true).write(true).create(true).truncate(false).to_owned();
        let mut lock = options.open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The number is a courtesy: without it the message is as true.
                let _ = lock.read_to_string(&mut holder);
                return Err(UpError::DataInUse { path, process: holder.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let written = lock.set_len(0).and_then(|()| lock.rewind());
        written.and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where models and data sets are kept in a data folder.
    pub(super) fn store(path: &Path) -> PathBuf {
        path.join("store")
    }
}

/// `$XDG_DATA_HOME/gifthorse`, by default `~/.local/share/gifthorse`. The standard ignores relative folders.
fn users_own(data: Option<std::ffi::OsString>, home: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data = data.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/share")))?;
    Some(data.join("gifthorse"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_house_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("made/on/the/way");
        let first = DataFolder::claim(Some(&path)).unwrap();
        assert!(first.path().join("store").is_dir());
        let second = DataFolder::claim(Some(&path)).unwrap_err();
        let own = std::process::id();
        assert!(matches!(second, UpError::DataInUse { process: Some(id), .. } if id == own), "{second}");
        drop(first);
        DataFolder::claim(Some(&path)).unwrap();
    }

    #[test]
    fn the_users_own_folder_follows_the_standard() {
        let own =
            |data: Option<&str>, home: Option<&str>| users_own(data.map(Into::into), home.map(Into::into));
        assert_eq!(own(Some("/data"), Some("/home/ada")), Some("/data/gifthorse".into()));
        let default = Some("/home/ada/.local/share/gifthorse".into());
        assert_eq!(own(None, Some("/home/ada")), default);
        assert_eq!(own(Some("relative"), Some("/home/ada")), default);
        assert_eq!(own(Some(""), None), None);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        let error = DataFolder::claim(Some(&path)).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
