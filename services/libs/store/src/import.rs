//! A version of a model while it is being made.

use std::path::Path;

use bytes::Bytes;
use gifthorse_api::name::{Identifier, Version};
use jiff::Timestamp;

use crate::claim::{self, Claim};
use crate::committed::Committed;
use crate::error::{Result, StoreError};
use crate::file_name::FileName;
use crate::folder::FolderWriter;
use crate::model_folder::{CLAIM, MARK, ModelFolder};
use crate::model_record::{ModelRecord, ModelSpecification};
use crate::objects::Creation;
use crate::request_id::Request;
use crate::request_mark::{self, RequestMark};
use crate::stored_file::StoredFile;
use crate::unique_id::UniqueId;

/// How an import begins.
#[derive(Debug)]
pub enum ImportStart {
    /// A version number is claimed: write the files, then commit.
    New(Box<ModelImport>),
    /// The same request made this version before; there is nothing to do.
    Earlier(Box<ModelRecord>),
}

/// A claimed version that nobody sees yet.
///
/// Dropping it leaves the number claimed and its files to a sweep; [`Self::abandon`] removes them at once.
#[derive(Debug)]
pub struct ModelImport {
    folder: ModelFolder,
    version: Version,
    request: Option<Request>,
    writer: FolderWriter,
}

pub(crate) async fn begin(folder: ModelFolder, request: Option<Request>) -> Result<ImportStart> {
    if let Some(request) = &request
        && let Some(record) = request_mark::earlier(&folder, request).await?
    {
        return Ok(ImportStart::Earlier(Box::new(record)));
    }
    let time = Timestamp::now();
    let claim = Claim { import_id: UniqueId::new(), time, request: request.clone() };
    let version = claim::claim_next(&folder, &claim).await?;
    let writer = FolderWriter::new(folder.objects.clone(), folder.version(version), &[CLAIM, MARK], time);
    Ok(ImportStart::New(Box::new(ModelImport { folder, version, request, writer })))
}

impl ModelImport {
    /// The model.
    pub fn model(&self) -> &Identifier {
        &self.folder.model
    }

    /// The version number that was claimed.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Adds a file whose content is in memory.
    pub async fn put_bytes(&mut self, name: FileName, bytes: Bytes) -> Result<StoredFile> {
        self.writer.put_bytes(name, bytes).await
    }

    /// Adds a file of this machine, in parts of a few megabytes.
    pub async fn put_path(&mut self, name: FileName, from: &Path) -> Result<StoredFile> {
        self.writer.put_path(name, from).await
    }

    /// Makes the version visible, whole and for good. `model.onnx` must be among its files, or
    /// `link.json` when a foreign server holds the network.
    ///
    /// When an equal request was committed in the meantime, that version is answered and this one discarded;
    /// a request with the same id and other content is [`StoreError::RequestIdReused`].
    pub async fn commit(self, specification: ModelSpecification) -> Result<Committed<ModelRecord>> {
        self.commit_at(specification, Timestamp::now()).await
    }

    pub(crate) async fn commit_at(
        self,
        specification: ModelSpecification,
        now: Timestamp,
    ) -> Result<Committed<ModelRecord>> {
        let record = self.record(specification, now)?;
        let Self { folder, request, writer, .. } = self;
        writer.check_age(now)?;
        if let Some(request) = request {
            let path = folder.request(&request.id);
            let mark = RequestMark { request, record: record.clone() };
            if folder.objects.create_record(&path, &mark).await? == Creation::Taken {
                writer.discard().await?;
                let earlier = request_mark::earlier(&folder, &mark.request).await?;
                return earlier.map(Committed::Earlier).ok_or_else(|| StoreError::ModelVersionNotFound {
                    model: record.model,
                    version: record.version,
                });
            }
        }
        request_mark::finish(&folder, record).await.map(Committed::New)
    }

    /// Gives up and removes what was written; the number stays used.
    pub async fn abandon(self) -> Result<()> {
        self.writer.discard().await
    }

    fn record(&self, specification: ModelSpecification, now: Timestamp) -> Result<ModelRecord> {
        let files = self.writer.files().clone();
        let identity = specification.identity_file();
        let file = files.iter().find(|(name, _)| name.as_str() == identity);
        let missing = || StoreError::RecordRefused { reason: format!("{identity} was not written") };
        let digest = file.ok_or_else(missing)?.1.sha256;
        Ok(ModelRecord {
            model: self.folder.model.clone(),
            version: self.version,
            create_time: now,
            request_id: self.request.as_ref().map(|request| request.id.clone()),
            digest,
            files,
            specification,
        })
    }
}
