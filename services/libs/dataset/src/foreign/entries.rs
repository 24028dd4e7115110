//! The files of a tar archive, one after the other, without trust.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use tar::{Archive, EntryType};

use super::damaged;
use crate::error::DatasetError;

/// The longest path, in bytes, and the deepest, in folders.
const MAX_PATH: usize = 512;
const MAX_DEPTH: usize = 16;

/// Reads the content of the file at hand, when called.
pub(super) type Content<'a> = &'a mut dyn FnMut() -> Result<Vec<u8>, DatasetError>;

/// Calls `visit` with the path and the content of each file, in the archive's order. Folders are passed
/// over; links, devices and paths that leave the archive's root are refused, as are files of more than
/// `max_bytes`. Contents are at hand only during the call and only when asked for.
pub(super) fn visit(
    source: &Path,
    max_bytes: u64,
    mut visit: impl FnMut(&str, Content<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let file = File::open(source).map_err(DatasetError::file("open", source))?;
    let mut archive = Archive::new(BufReader::new(file));
    for entry in archive.entries().map_err(|error| damaged(source, error))? {
        let mut entry = entry.map_err(|error| damaged(source, error))?;
        let path = plain(&String::from_utf8_lossy(&entry.path_bytes()))?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => return Err(refused(&path, &format!("is no plain file but of type {other:?}"))),
        }
        let size = entry.size();
        if size > max_bytes {
            let fault = format!("has {size} bytes, the limit is {max_bytes}");
            return Err(refused(&path, &fault));
        }
        visit(&path, &mut || {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| damaged(source, error))?;
            if content.len() as u64 == size {
                Ok(content)
            } else {
                Err(damaged(source, format!("it ends inside of {path:?}")))
            }
        })?;
    }
    Ok(())
}

/// The path with its leading `./` gone; refused when a part of it is not a plain name.
fn plain(path: &str) -> Result<String, DatasetError> {
    let shortened = || path.chars().take(80).collect::<String>();
    if path.len() > MAX_PATH {
        return Err(refused(&shortened(), &format!("is a path of more than {MAX_PATH} bytes")));
    }
    let relative = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    let is_root = relative.is_empty() || relative == ".";
    let bad = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', '\0', '\u{fffd}']);
    if !is_root && (relative.split('/').any(bad) || relative.split('/').count() > MAX_DEPTH) {
        return Err(refused(&shortened(), "is not a path of plain names below the folder"));
    }
    Ok(relative.to_owned())
}

fn refused(path: &str, fault: &str) -> DatasetError {
    DatasetError::Entry { path: path.to_owned(), fault: fault.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_below_the_root_pass() {
        for (path, plain_path) in [("a.png", "a.png"), ("./7/a b.png", "7/a b.png"), ("7/", "7"), ("./", "")]
        {
            assert_eq!(plain(path).unwrap(), plain_path);
        }
        let deep = "d/".repeat(MAX_DEPTH) + "a.png";
        let long = "x".repeat(MAX_PATH + 1);
        for bad in ["../a", "a/../../b", "/etc/passwd", "a//b", "a/./b", "a\\b", "a\0b", "..", &deep, &long] {
            assert!(plain(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
