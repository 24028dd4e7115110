//! Immutable sets of files under a name: the layer that data sets, calibrations and the like share.
//!
//! Layout: `COLLECTION/NAME/CONTENT_ID/FILE...` and the commit mark `COLLECTION/NAME/MARK.json`. Every writer
//! fills a folder of its own; the mark, created only if absent, decides whose folder counts. Until then the
//! artefact does not exist for readers.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::Path;

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use jiff::Timestamp;
use object_store::path::Path as ObjectPath;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::committed::Committed;
use crate::digest::Sha256Digest;
use crate::document::Record;
use crate::download;
use crate::error::{Result, StoreError};
use crate::file_name::FileName;
use crate::folder::{ABANDONED_AFTER, FolderWriter};
use crate::objects::{Creation, Objects};
use crate::page::{self, Page, PageRequest};
use crate::request_id::RequestId;
use crate::stored_file::{StoredFile, StoredFiles, content_digest};
use crate::unique_id::UniqueId;

/// What a collection says of each of its artefacts, beside the files.
pub trait Contents: Debug + Clone + Serialize + DeserializeOwned + Send + Sync {
    /// The collection, and the top folder it is kept in.
    const COLLECTION: &'static str;
    /// Name of the commit mark.
    const MARK: &'static str;
    /// Number of the form of the record; see [`Record::FORMAT`].
    const FORMAT: u32;
    /// The code under which a missing artefact is reported.
    const NOT_FOUND: ErrorCode;

    /// What the types alone do not rule out; the error says which rule is broken.
    fn check(&self) -> std::result::Result<(), String>;
}

/// The record of a committed artefact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactRecord<C> {
    /// The name it is kept under.
    pub name: Identifier,
    /// The folder that holds its files.
    pub content_id: UniqueId,
    /// When it was committed.
    pub create_time: Timestamp,
    /// The request that made it, where the caller named it.
    pub request_id: Option<RequestId>,
    /// The identity of its content: [`content_digest`] of the files.
    pub digest: Sha256Digest,
    /// Its files.
    pub files: StoredFiles,
    /// What its collection says of it.
    pub contents: C,
}

impl<C: Contents> Record for ArtefactRecord<C> {
    const FORMAT: u32 = C::FORMAT;

    fn check(&self) -> std::result::Result<(), String> {
        if self.files.is_empty() {
            return Err("it names no files".to_owned());
        }
        if content_digest(&self.files) != self.digest {
            return Err("its digest is not that of its files".to_owned());
        }
        self.contents.check()
    }
}

/// A collection of artefacts.
#[derive(Debug, Clone)]
pub struct Artefacts<C> {
    objects: Objects,
    contents: PhantomData<C>,
}

impl<C: Contents> Artefacts<C> {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, contents: PhantomData }
    }

    /// Starts a new artefact. Nothing is visible before it is committed.
    pub fn begin(&self, name: &Identifier, request_id: Option<RequestId>) -> ArtefactWriter<C> {
        let content_id = UniqueId::new();
        let path = folder::<C>(name).join(content_id.as_str());
        let writer = FolderWriter::new(self.objects.clone(), path, &[], Timestamp::now());
        ArtefactWriter { artefacts: self.clone(), name: name.clone(), content_id, request_id, writer }
    }

    /// The record of this artefact.
    pub async fn get(&self, name: &Identifier) -> Result<ArtefactRecord<C>> {
        self.find(name).await?.ok_or_else(|| StoreError::ArtefactNotFound {
            collection: C::COLLECTION,
            name: name.clone(),
            code: C::NOT_FOUND,
        })
    }

    /// The artefacts, by name.
    pub async fn list(&self, request: &PageRequest) -> Result<Page<ArtefactRecord<C>>> {
        let after = request.after(C::COLLECTION)?;
        let mut names = self.objects.folders(&ObjectPath::from(C::COLLECTION)).await?;
        names.retain(|name| after.as_ref().is_none_or(|after| name > after));
        page::fill(request, C::COLLECTION, names, async |name| match name.parse() {
            Ok(name) => self.find(&name).await,
            Err(_) => Ok(None),
        })
        .await
    }

    /// A file of the artefact, verified, in memory.
    pub async fn read_file(&self, record: &ArtefactRecord<C>, file: &FileName) -> Result<Bytes> {
        let (path, expected) = locate(record, file)?;
        download::read(&self.objects, &path, expected).await
    }

    /// Writes a file of the artefact to a path of this machine, verified; a mismatch leaves the path as it
    /// was.
    pub async fn fetch_file(&self, record: &ArtefactRecord<C>, file: &FileName, to: &Path) -> Result<()> {
        let (path, expected) = locate(record, file)?;
        download::fetch(&self.objects, &path, expected, to).await
    }

    /// Removes the artefact: first the commit mark, then its files. A damaged one can be removed as well; its
    /// files are then left to [`Self::sweep`].
    pub async fn delete(&self, name: &Identifier) -> Result<()> {
        let found = self.get(name).await;
        if let Err(error) = &found
            && !matches!(error, StoreError::RecordInvalid { .. })
        {
            return found.map(|_| ());
        }
        self.objects.delete(&mark::<C>(name)).await?;
        if let Ok(record) = found {
            for file in self.objects.list(&content_folder(&record)).await? {
                self.objects.delete(&file.location).await?;
            }
        }
        Ok(())
    }

    /// Removes files that no commit mark refers to and that are older than an hour. Answers their paths.
    pub async fn sweep(&self) -> Result<Vec<String>> {
        self.sweep_at(Timestamp::now()).await
    }

    pub(crate) async fn sweep_at(&self, now: Timestamp) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for name in self.objects.folders(&ObjectPath::from(C::COLLECTION)).await? {
            let Ok(name) = name.parse::<Identifier>() else { continue };
            for content_id in self.objects.folders(&folder::<C>(&name)).await? {
                let files = self.objects.list(&folder::<C>(&name).join(content_id.as_str())).await?;
                let newest = files.iter().map(|file| file.last_modified.timestamp()).max();
                let Some(newest) = newest else { continue };
                if now.as_second() - newest <= ABANDONED_AFTER.as_secs() {
                    continue;
                }
                // Looked up after the files' age: so old a folder is committed by now, or its writer is refused.
                match self.find(&name).await {
                    Ok(Some(record)) if record.content_id.as_str() == content_id => continue,
                    Ok(_) => {}
                    Err(StoreError::RecordInvalid { .. }) => continue,
                    Err(error) => return Err(error),
                }
                for file in files {
                    self.objects.delete(&file.location).await?;
                    removed.push(file.location.to_string());
                }
            }
        }
        Ok(removed)
    }

    async fn find(&self, name: &Identifier) -> Result<Option<ArtefactRecord<C>>> {
        let path = mark::<C>(name);
        let record: Option<ArtefactRecord<C>> = self.objects.record(&path).await?;
        if let Some(record) = &record
            && record.name != *name
        {
            let reason =
                format!("it is the record of {}: an artefact cannot be copied or renamed", record.name);
            return Err(StoreError::RecordInvalid { path: path.to_string(), reason });
        }
        Ok(record)
    }
}

/// An artefact that is being stored. Dropping it leaves files that a sweep removes.
#[derive(Debug)]
pub struct ArtefactWriter<C> {
    artefacts: Artefacts<C>,
    name: Identifier,
    content_id: UniqueId,
    request_id: Option<RequestId>,
    writer: FolderWriter,
}

impl<C: Contents> ArtefactWriter<C> {
    /// Adds a file whose content is in memory.
    pub async fn put_bytes(&mut self, name: FileName, bytes: Bytes) -> Result<StoredFile> {
        self.writer.put_bytes(name, bytes).await
    }

    /// Adds a file of this machine, in parts of a few megabytes.
    pub async fn put_path(&mut self, name: FileName, from: &Path) -> Result<StoredFile> {
        self.writer.put_path(name, from).await
    }

    /// Makes the artefact visible, whole and for good.
    ///
    /// When the name is taken by the same content, that one is answered and this one discarded. Other content
    /// is [`StoreError::AlreadyExists`], or [`StoreError::RequestIdReused`] when it came under the same
    /// request id.
    pub async fn commit(self, contents: C) -> Result<Committed<ArtefactRecord<C>>> {
        let now = Timestamp::now();
        self.writer.check_age(now)?;
        let record = ArtefactRecord {
            name: self.name,
            content_id: self.content_id,
            create_time: now,
            request_id: self.request_id,
            digest: content_digest(self.writer.files()),
            files: self.writer.files().clone(),
            contents,
        };
        let path = mark::<C>(&record.name);
        if self.artefacts.objects.create_record(&path, &record).await? == Creation::Created {
            return Ok(Committed::New(record));
        }
        self.writer.discard().await?;
        let existing = self.artefacts.get(&record.name).await?;
        if existing.digest == record.digest {
            return Ok(Committed::Earlier(existing));
        }
        match record.request_id {
            Some(id) if existing.request_id.as_ref() == Some(&id) => {
                Err(StoreError::RequestIdReused { request_id: id.to_string() })
            }
            _ => Err(StoreError::AlreadyExists {
                collection: C::COLLECTION,
                name: record.name,
                existing: existing.digest,
                offered: record.digest,
            }),
        }
    }

    /// Gives up and removes what was written.
    pub async fn abandon(self) -> Result<()> {
        self.writer.discard().await
    }
}

fn folder<C: Contents>(name: &Identifier) -> ObjectPath {
    ObjectPath::from(C::COLLECTION).join(name.as_str())
}

fn mark<C: Contents>(name: &Identifier) -> ObjectPath {
    folder::<C>(name).join(C::MARK)
}

fn content_folder<C: Contents>(record: &ArtefactRecord<C>) -> ObjectPath {
    folder::<C>(&record.name).join(record.content_id.as_str())
}

fn locate<C: Contents>(record: &ArtefactRecord<C>, file: &FileName) -> Result<(ObjectPath, StoredFile)> {
    match record.files.get(file) {
        Some(stored) => Ok((content_folder(record).join(file.as_str()), *stored)),
        None => Err(StoreError::FileNotFound {
            artefact: format!("{}/{}", C::COLLECTION, record.name),
            file: file.to_string(),
        }),
    }
}
