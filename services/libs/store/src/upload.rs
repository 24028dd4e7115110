//! Files on their way into the store: hashed as they go, never whole in memory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use sha2::{Digest, Sha256};

use crate::blocking;
use crate::digest::Sha256Digest;
use crate::error::{Result, StoreError};
use crate::objects::{Objects, failed};
use crate::stored_file::StoredFile;

/// Bytes of one part. Stores ask for 5 MiB at least and take 10,000 parts, so this reaches 80 GB.
pub(crate) const PART: usize = 8 << 20;
/// Parts under way at once; bounds the memory of an upload.
const CONCURRENT_PARTS: usize = 4;

/// Writes bytes that are in memory already.
pub(crate) async fn upload_bytes(objects: &Objects, to: &ObjectPath, bytes: Bytes) -> Result<StoredFile> {
    let hashed = bytes.clone();
    let sha256 = blocking::run(move || Ok(Sha256Digest::of(&hashed))).await?;
    let size = bytes.len() as u64;
    if bytes.len() <= PART {
        objects.put(to, bytes).await?;
    } else {
        let mut upload = objects.upload(to, PART).await?;
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Err(error) = upload.wait_for_capacity(CONCURRENT_PARTS).await {
                abort(upload, to).await;
                return Err(failed("write", to, error));
            }
            upload.put(rest.split_to(PART.min(rest.len())));
        }
        upload.finish().await.map_err(|error| failed("write", to, error))?;
    }
    Ok(StoredFile { size, sha256 })
}

/// Writes a file of this machine.
pub(crate) async fn upload_path(objects: &Objects, to: &ObjectPath, from: &Path) -> Result<StoredFile> {
    let path = from.to_owned();
    let source = blocking::run(move || Source::open(path)).await?;
    let (source, first) = source.next().await?;
    if first.len() < PART {
        objects.put(to, first).await?;
        return Ok(source.end());
    }
    let mut upload = objects.upload(to, PART).await?;
    let mut state = (source, first);
    while !state.1.is_empty() {
        let room = upload.wait_for_capacity(CONCURRENT_PARTS).await;
        if let Err(error) = room {
            abort(upload, to).await;
            return Err(failed("write", to, error));
        }
        upload.put(state.1);
        state = match state.0.next().await {
            Ok(next) => next,
            Err(error) => {
                abort(upload, to).await;
                return Err(error);
            }
        };
    }
    upload.finish().await.map_err(|error| failed("write", to, error))?;
    Ok(state.0.end())
}

/// Tells the store to forget the parts; the caller reports the first failure, not this one.
async fn abort(upload: object_store::WriteMultipart, to: &ObjectPath) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, path = %to, "parts of a failed upload could not be removed");
    }
}

/// A file that is read part by part and hashed on the way.
struct Source {
    path: PathBuf,
    file: File,
    hasher: Sha256,
    size: u64,
}

impl Source {
    fn open(path: PathBuf) -> Result<Self> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, hasher: Sha256::new(), size: 0 }),
            Err(source) => Err(StoreError::LocalFile { operation: "open", path, source }),
        }
    }

    /// The next part, `PART` bytes long except for the last; empty at the end of the file.
    async fn next(mut self) -> Result<(Self, Bytes)> {
        blocking::run(move || {
            let mut part = Vec::with_capacity(PART);
            let read = self.file.by_ref().take(PART as u64).read_to_end(&mut part);
            if let Err(source) = read {
                return Err(StoreError::LocalFile { operation: "read", path: self.path, source });
            }
            self.hasher.update(&part);
            self.size += part.len() as u64;
            Ok((self, part.into()))
        })
        .await
    }

    fn end(self) -> StoredFile {
        StoredFile { size: self.size, sha256: Sha256Digest::of_hasher(self.hasher) }
    }
}
