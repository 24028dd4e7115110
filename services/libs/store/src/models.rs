//! The model repository.

use std::path::Path;

use bytes::Bytes;
use gifthorse_api::name::{Identifier, NameError, Version};
use jiff::Timestamp;
use object_store::path::Path as ObjectPath;

use crate::download;
use crate::error::{Result, StoreError};
use crate::file_name::FileName;
use crate::import::{self, ImportStart};
use crate::model_folder::{self, ModelFolder};
use crate::model_record::ModelRecord;
use crate::objects::Objects;
use crate::page::{self, Page, PageRequest};
use crate::promotion::{Etag, Promotion};
use crate::request_id::Request;
use crate::stored_file::StoredFile;

/// The models, under `models/NAME`; every call sees what other processes have committed.
#[derive(Debug, Clone)]
pub struct Models {
    objects: Objects,
}

/// A name under which versions of a network are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name.
    pub name: Identifier,
    /// What answers for the name; none when nothing was promoted yet.
    pub promoted: Option<Promotion>,
    /// Changes with every promotion.
    pub etag: Etag,
    /// Committed versions, damaged ones included.
    pub version_count: usize,
    /// When the oldest kept version was made, of those whose record can be read.
    pub create_time: Timestamp,
}

impl Models {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects }
    }

    pub(crate) fn folder(&self, model: &Identifier) -> ModelFolder {
        ModelFolder { model: model.clone(), objects: self.objects.clone() }
    }

    /// Names of all folders that could be models, sorted.
    pub(crate) async fn folders(&self) -> Result<Vec<Identifier>> {
        let names = self.objects.folders(&model_folder::root()).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Claims the next version of the model, or answers the version that the same request made before.
    pub async fn begin_import(&self, model: &Identifier, request: Option<Request>) -> Result<ImportStart> {
        import::begin(self.folder(model), request).await
    }

    /// The models, by name.
    pub async fn list(&self, request: &PageRequest) -> Result<Page<Model>> {
        let after = request.after(model_folder::COLLECTION)?;
        let names = self.folders().await?.into_iter().map(String::from);
        let keys = names.filter(|name| after.as_ref().is_none_or(|after| name > after)).collect();
        page::fill(request, model_folder::COLLECTION, keys, |name| async move {
            match self.get(&name.parse().map_err(|error| unexpected(&error))?).await {
                Err(StoreError::ModelNotFound { .. }) => Ok(None),
                found => found.map(Some),
            }
        })
        .await
    }

    /// One model. Damaged versions do not hide it as long as the record of one version can be read; when none
    /// can, the error is that of the oldest.
    pub async fn get(&self, model: &Identifier) -> Result<Model> {
        let folder = self.folder(model);
        let versions = folder.committed().await?;
        let oldest = oldest_readable(&folder, &versions).await?;
        let latest = folder.promotions().latest().await?;
        Ok(Model {
            name: model.clone(),
            etag: latest.as_ref().map_or(Etag::NEVER, |latest| latest.etag),
            promoted: latest.filter(|latest| latest.version.is_some()),
            version_count: versions.len(),
            create_time: oldest.create_time,
        })
    }

    /// The versions of a model, newest first.
    pub async fn list_versions(
        &self,
        model: &Identifier,
        request: &PageRequest,
    ) -> Result<Page<ModelRecord>> {
        let listing = format!("models/{model}/versions");
        let after = request
            .after(&listing)?
            .map(|key| key.parse::<Version>().map_err(|error| unexpected(&error)))
            .transpose()?;
        let folder = &self.folder(model);
        let versions = existing(model, folder.committed().await?)?;
        let older = versions.into_iter().rev().filter(|version| after.is_none_or(|after| *version < after));
        let keys = older.map(|version| version.to_string()).collect();
        page::fill(request, &listing, keys, |version| async move {
            folder.record(version.parse().map_err(|error| unexpected(&error))?).await
        })
        .await
    }

    /// One version.
    pub async fn get_version(&self, model: &Identifier, version: Version) -> Result<ModelRecord> {
        let record = self.folder(model).record(version).await?;
        record.ok_or_else(|| StoreError::ModelVersionNotFound { model: model.clone(), version })
    }

    /// A file of the version, verified, in memory.
    pub async fn read_file(&self, record: &ModelRecord, file: &FileName) -> Result<Bytes> {
        let (path, expected) = self.locate(record, file)?;
        download::read(&self.objects, &path, expected).await
    }

    /// Writes a file of the version to a path of this machine, verified; a mismatch leaves the path as it was.
    pub async fn fetch_file(&self, record: &ModelRecord, file: &FileName, to: &Path) -> Result<()> {
        let (path, expected) = self.locate(record, file)?;
        download::fetch(&self.objects, &path, expected, to).await
    }

    fn locate(&self, record: &ModelRecord, file: &FileName) -> Result<(ObjectPath, StoredFile)> {
        match record.files.get(file) {
            Some(stored) => {
                let folder = self.folder(&record.model).version(record.version);
                Ok((folder.join(file.as_str()), *stored))
            }
            None => Err(StoreError::FileNotFound {
                artefact: format!("models/{}/versions/{}", record.model, record.version),
                file: file.to_string(),
            }),
        }
    }
}

/// The first readable record of these versions, which are rising.
async fn oldest_readable(folder: &ModelFolder, versions: &[Version]) -> Result<ModelRecord> {
    let mut first_damage = None;
    for version in versions {
        match folder.record(*version).await {
            Ok(Some(record)) => return Ok(record),
            // Deleted since it was listed.
            Ok(None) => {}
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, model = %folder.model, "damaged version passed over");
                first_damage.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first_damage.unwrap_or_else(|| StoreError::ModelNotFound { model: folder.model.clone() }))
}

/// The versions, when there are any.
pub(crate) fn existing(model: &Identifier, versions: Vec<Version>) -> Result<Vec<Version>> {
    if versions.is_empty() { Err(StoreError::ModelNotFound { model: model.clone() }) } else { Ok(versions) }
}

/// For keys that we made ourselves and that a checksum has guarded since.
fn unexpected(error: &NameError) -> StoreError {
    StoreError::Internal { what: format!("a key of a listing cannot be read back: {error}") }
}
