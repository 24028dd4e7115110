//! The few operations that every object store has, and that this room builds on.
//!
//! Put, create-if-absent, get, head, delete, list and multipart upload. Nothing here knows what is stored.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error as ObjectError, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart,
};

use crate::cache::Cache;
use crate::document::{self, Record};
use crate::error::{Result, StoreError};
use crate::record_size::MAX_RECORD;

/// Whether a create-if-absent made the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The object holds what we wrote.
    Created,
    /// Someone else's object was there first.
    Taken,
}

/// An object store, whichever it is.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    cache: Option<Arc<Cache>>,
}

impl Objects {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, cache: None }
    }

    /// The same objects, of whose files copies are kept on this machine.
    pub(crate) fn with_cache(self, cache: Cache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// The copies on this machine, where any are kept.
    pub(crate) fn cache(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// Writes the object, whatever was there.
    pub(crate) async fn put(&self, path: &ObjectPath, bytes: Bytes) -> Result<()> {
        self.store
            .put(path, PutPayload::from_bytes(bytes))
            .await
            .map_err(|error| failed("write", path, error))?;
        Ok(())
    }

    /// Writes the object unless one is there.
    ///
    /// A store may carry the write out and lose its answer, and a retry inside the client then meets our own
    /// object: equal bytes count as ours. Documents that race carry a unique id, so equal means the same.
    pub(crate) async fn create(&self, path: &ObjectPath, bytes: Bytes) -> Result<Creation> {
        let payload = PutPayload::from_bytes(bytes.clone());
        match self.store.put_opts(path, payload, PutMode::Create.into()).await {
            Ok(_) => Ok(Creation::Created),
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                let found = self.read(path).await?;
                Ok(if found.is_some_and(|found| found == bytes) {
                    Creation::Created
                } else {
                    Creation::Taken
                })
            }
            Err(error) => Err(failed("create", path, error)),
        }
    }

    /// Seals the record and creates it unless an object is there.
    pub(crate) async fn create_record<T: Record>(&self, path: &ObjectPath, record: &T) -> Result<Creation> {
        self.create(path, document::seal(record)?).await
    }

    /// The record at this path; none when there is no object.
    pub(crate) async fn record<T: Record>(&self, path: &ObjectPath) -> Result<Option<T>> {
        let bytes = self.read(path).await?;
        bytes.map(|bytes| document::unseal(path, &bytes)).transpose()
    }

    /// The whole of a small object; none when there is none.
    pub(crate) async fn read(&self, path: &ObjectPath) -> Result<Option<Bytes>> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(ObjectError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed("read", path, error)),
        };
        if found.meta.size > MAX_RECORD {
            let reason = format!("it has {} bytes, a record has at most {MAX_RECORD}", found.meta.size);
            return Err(StoreError::RecordInvalid { path: path.to_string(), reason });
        }
        match found.bytes().await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path, error)),
        }
    }

    /// Bytes of the object; none when there is none.
    pub(crate) async fn size(&self, path: &ObjectPath) -> Result<Option<u64>> {
        match self.store.head(path).await {
            Ok(found) => Ok(Some(found.size)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look up", path, error)),
        }
    }

    /// A part of the object; none when there is none.
    pub(crate) async fn part(&self, path: &ObjectPath, range: Range<u64>) -> Result<Option<Bytes>> {
        match self.store.get_range(path, range).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path, error)),
        }
    }

    /// Starts an upload in parts of `part_size` bytes; the object appears when it is finished.
    pub(crate) async fn upload(&self, path: &ObjectPath, part_size: usize) -> Result<WriteMultipart> {
        let upload = self.store.put_multipart(path).await.map_err(|error| failed("write", path, error))?;
        Ok(WriteMultipart::new_with_chunk_size(upload, part_size))
    }

    /// Removes the object; none being there is fine.
    pub(crate) async fn delete(&self, path: &ObjectPath) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", path, error)),
        }
    }

    /// Every object below the prefix, in the order of the paths.
    pub(crate) async fn list(&self, prefix: &ObjectPath) -> Result<Vec<ObjectMeta>> {
        let listing = self.store.list(Some(prefix)).try_collect::<Vec<_>>().await;
        let mut objects = listing.map_err(|error| failed("list", prefix, error))?;
        objects.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(objects)
    }

    /// Names of the folders directly below the prefix, sorted. A directory may hold empty ones.
    pub(crate) async fn folders(&self, prefix: &ObjectPath) -> Result<Vec<String>> {
        let listing = self.store.list_with_delimiter(Some(prefix)).await;
        let listing = listing.map_err(|error| failed("list", prefix, error))?;
        let mut names: Vec<String> =
            listing.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }
}

/// Places a failure of the store in our own terms.
pub(crate) fn failed(operation: &'static str, path: &ObjectPath, error: ObjectError) -> StoreError {
    match error {
        ObjectError::InvalidPath { source } => StoreError::RecordInvalid {
            path: path.to_string(),
            reason: format!("the store holds an object with a name that no release wrote: {source}"),
        },
        ObjectError::JoinError { source } => {
            StoreError::Internal { what: format!("{operation} {path}: {source}") }
        }
        ObjectError::NotSupported { .. }
        | ObjectError::NotImplemented { .. }
        | ObjectError::UnknownConfigurationKey { .. } => {
            StoreError::Internal { what: format!("{operation} {path}: {error}") }
        }
        error => StoreError::Unavailable { operation, path: path.to_string(), source: Box::new(error) },
    }
}
