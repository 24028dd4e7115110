//! Files on their way out of the store: size and digest are verified, always.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::blocking;
use crate::cache::{self, Cache};
use crate::digest::Sha256Digest;
use crate::error::{Result, StoreError};
use crate::objects::Objects;
use crate::stored_file::StoredFile;
use crate::upload::PART;

/// The verified content, in memory.
///
/// The store is asked even where there is a copy on this machine: what was removed is not answered.
pub(crate) async fn read(objects: &Objects, from: &ObjectPath, expected: StoredFile) -> Result<Bytes> {
    let Some(cache) = objects.cache() else { return read_whole(objects, from, expected).await };
    check_size(objects, from, expected).await?;
    let copies = Arc::clone(cache);
    if let Some(copy) = blocking::run(move || Ok(copies.read(expected))).await? {
        return Ok(copy);
    }
    let content = read_whole(objects, from, expected).await?;
    let (copies, fetched) = (Arc::clone(cache), content.clone());
    blocking::run(move || {
        copies.keep_bytes(expected, &fetched);
        Ok(())
    })
    .await?;
    Ok(content)
}

async fn read_whole(objects: &Objects, from: &ObjectPath, expected: StoredFile) -> Result<Bytes> {
    check_size(objects, from, expected).await?;
    let mut hasher = Sha256::new();
    // The object really has this size, so a record with a made-up one cannot ask for the memory.
    let mut content = Vec::with_capacity(expected.size as usize);
    while (content.len() as u64) < expected.size {
        let part = next_part(objects, from, expected, content.len() as u64).await?;
        (hasher, content) = blocking::run(move || {
            hasher.update(&part);
            content.extend_from_slice(&part);
            Ok((hasher, content))
        })
        .await?;
    }
    check_digest(from, expected, hasher)?;
    Ok(content.into())
}

/// Writes the verified content to `to`, replacing what is there. A mismatch leaves `to` untouched.
///
/// The store is asked even where there is a copy on this machine: what was removed is not answered.
pub(crate) async fn fetch(
    objects: &Objects,
    from: &ObjectPath,
    expected: StoredFile,
    to: &Path,
) -> Result<()> {
    let Some(cache) = objects.cache() else { return fetch_whole(objects, from, expected, to).await };
    check_size(objects, from, expected).await?;
    let (copies, target) = (Arc::clone(cache), to.to_owned());
    if blocking::run(move || take_copy(&copies, expected, &target)).await? {
        return Ok(());
    }
    fetch_whole(objects, from, expected, to).await?;
    let (copies, fetched) = (Arc::clone(cache), to.to_owned());
    blocking::run(move || {
        copies.keep(expected, &fetched);
        Ok(())
    })
    .await
}

/// Writes the copy to `to` and answers whether there was a whole one.
fn take_copy(cache: &Cache, expected: StoredFile, to: &Path) -> Result<bool> {
    let Some(copy) = cache.find(expected) else { return Ok(false) };
    let failed =
        |source| StoreError::LocalFile { operation: "read the copy for", path: to.to_owned(), source };
    let mut target = Target::beside(to.to_owned())?;
    let mut hasher = Sha256::new();
    loop {
        let part = cache::part(&copy, PART).map_err(failed)?;
        if part.is_empty() {
            break;
        }
        hasher.update(&part);
        target = target.write(&part)?;
    }
    if Sha256Digest::of_hasher(hasher) != expected.sha256 {
        tracing::warn!(file = %expected.sha256, "a copy on this machine is damaged, it is fetched anew");
        cache.forget(expected);
        return Ok(false);
    }
    target.finish()?;
    Ok(true)
}

async fn fetch_whole(objects: &Objects, from: &ObjectPath, expected: StoredFile, to: &Path) -> Result<()> {
    check_size(objects, from, expected).await?;
    let target = to.to_owned();
    let mut state = blocking::run(move || Target::beside(target)).await?;
    let mut hasher = Sha256::new();
    let mut offset = 0;
    while offset < expected.size {
        let part = next_part(objects, from, expected, offset).await?;
        offset += part.len() as u64;
        (hasher, state) = blocking::run(move || {
            hasher.update(&part);
            Ok((hasher, state.write(&part)?))
        })
        .await?;
    }
    check_digest(from, expected, hasher)?;
    blocking::run(move || state.finish()).await
}

fn mismatch(from: &ObjectPath, expected: String, found: String) -> StoreError {
    StoreError::DigestMismatch { file: from.to_string(), expected, found }
}

fn bytes_text(size: u64) -> String {
    format!("{size} bytes")
}

async fn check_size(objects: &Objects, from: &ObjectPath, expected: StoredFile) -> Result<()> {
    match objects.size(from).await? {
        Some(size) if size == expected.size => Ok(()),
        Some(size) => Err(mismatch(from, bytes_text(expected.size), bytes_text(size))),
        None => Err(mismatch(from, bytes_text(expected.size), "nothing".to_owned())),
    }
}

fn check_digest(from: &ObjectPath, expected: StoredFile, hasher: Sha256) -> Result<()> {
    let found = Sha256Digest::of_hasher(hasher);
    if found == expected.sha256 {
        Ok(())
    } else {
        Err(mismatch(from, format!("SHA-256 {}", expected.sha256), format!("SHA-256 {found}")))
    }
}

async fn next_part(objects: &Objects, from: &ObjectPath, expected: StoredFile, offset: u64) -> Result<Bytes> {
    let end = expected.size.min(offset + PART as u64);
    match objects.part(from, offset..end).await? {
        Some(part) if !part.is_empty() => Ok(part),
        // It was there with its full size a moment ago.
        _ => Err(mismatch(from, bytes_text(expected.size), bytes_text(offset))),
    }
}

/// A file that appears under its name only when it is complete.
struct Target {
    path: PathBuf,
    partial: NamedTempFile,
}

impl Target {
    fn beside(path: PathBuf) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        match NamedTempFile::new_in(folder) {
            Ok(partial) => Ok(Self { path, partial }),
            Err(source) => Err(StoreError::LocalFile { operation: "create a file beside", path, source }),
        }
    }

    fn write(mut self, part: &[u8]) -> Result<Self> {
        match self.partial.write_all(part) {
            Ok(()) => Ok(self),
            Err(source) => Err(StoreError::LocalFile { operation: "write", path: self.path, source }),
        }
    }

    fn finish(self) -> Result<()> {
        let Self { path, partial } = self;
        let synced = partial.as_file().sync_all();
        match synced.and_then(|()| partial.persist(&path).map_err(|error| error.error)) {
            Ok(_) => Ok(()),
            Err(source) => Err(StoreError::LocalFile { operation: "finish", path, source }),
        }
    }
}
